"""The steps of the certificate's scenarios, kept for critics to learn from, if the study asks."""

from __future__ import annotations

from collections.abc import Callable

from sport_ray.certificates import Certificate
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.certify import base_plan
from sport_ray.experiments.stages.scenarios import transitions_of
from sport_ray.rollouts import base_behaviour
from sport_ray.rollouts.transitions import save_transitions, scenarios_kept
from sport_ray.samplers import BaseFile


def missing_transitions(folder: StudyFolder, certificate: Certificate) -> int:
    """Scenarios to run again for the steps that the study asks to keep; 0 where all are there.

    A critic learns from all that the file has, so that more than were asked for will not do.
    """
    wanted = min(folder.study.certificate.transitions, certificate.num_scenarios)
    return 0 if wanted == 0 or scenarios_kept(folder.transitions) == wanted else wanted


def keep_transitions(
    folder: StudyFolder,
    base: BaseFile,
    certificate: Certificate,
    progress: Callable[[int], None] | None = None,
    need: RayWhenNeeded | None = None,
) -> None:
    """Run the certificate's first scenarios again from their seeds, and keep every step.

    No further scenarios: what comes out is what was counted.
    """
    wanted = min(folder.study.certificate.transitions, certificate.num_scenarios)
    behaviour = base_behaviour(base, run_module=True)
    plan = base_plan(folder, "certify")
    found = transitions_of(plan, behaviour, wanted, progress=progress, need=need)
    save_transitions(folder.transitions, found, certificate.digest)
