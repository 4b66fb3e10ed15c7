"""What is tuned: one constraint at one T, on which scenarios it is judged, and by which measure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sport_ray.canonical import digest
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import deployment_kwargs
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.cell import METHOD_VERSION
from sport_ray.experiments.sweep.constraints import constraints_for
from sport_ray.experiments.task_policies.task import counts_steps
from sport_ray.rollouts import ScenarioPlan


class TuningTask(NamedTuple):
    """What all trials have in common; settings: everything that a trial's score depends on.

    plan: the scenarios that trials are judged on, of the purpose 'tune', which nothing else has.
    seed: of every trial's training; derived, so that it is none that a sweep reports.
    """

    constraint: Constraint
    plan: ScenarioPlan
    seed: int
    settings: dict[str, Any]

    @property
    def digest(self) -> str:
        """sha256 of the settings."""
        return digest(self.settings)

    @property
    def mode(self) -> str:
        """Whether the smallest ("min") or the largest ("max") score is best."""
        return str(self.settings["judged_on"]["mode"])


def tuning_task(study: Study, certificate: Certificate) -> TuningTask:
    """The one constraint and T of the study's tuning, with the settings.

    Judged by the mean task steps, violations ignored, of the point robot with a goal, and by the
    mean return elsewhere. The number of trials is no setting: more of them add to those there are.

    Raises:
        UserError: an ε_max that cannot be reached, or a study of several T that names none here.
    """
    tuning = study.tuning
    assert tuning is not None
    horizons = [tuning.horizon] if tuning.horizon else study.horizons(certificate)
    if len(horizons) > 1:
        raise UserError(f"tuning.horizon is missing, and the study has several: {horizons}")
    alone = study.sweep.model_copy(
        update={
            "constraints": [tuning.constraint],
            "alphas": [tuning.alpha] if tuning.alpha else None,
            "eps_max": [tuning.eps_max] if tuning.eps_max else None,
            "horizons": horizons,
        }
    )
    only = study.model_copy(update={"sweep": alone})
    [(constraint, _)] = constraints_for(only, certificate, horizons[0], trained=True)
    plan = study.task(horizons[0], tuning.seed).plan("tune", tuning.seed, deployment_kwargs(study))
    stream = np.random.SeedSequence(tuning.seed, spawn_key=tuple(b"tune"))
    seed = int(stream.generate_state(1)[0] >> 2)  # RLlib adds to it, and needs 32 bits
    by_steps = counts_steps(plan)
    settings = {
        "schema": "sport-ray/tuning/1",
        "method_version": METHOD_VERSION,
        "base": certificate.base_digest,
        "constraint": constraint.to_json(),
        "training": study.training.model_dump(mode="json"),
        "training_seed": seed,
        "tuning": tuning.model_dump(mode="json", exclude={"trials"}),
        "env_runners": study.resources.env_runners_per_cell,
        "gpu": study.resources.gpus_per_cell > 0,
        "judged_on": {
            "measure": "mean_task_steps" if by_steps else "mean_return",
            "mode": "min" if by_steps else "max",
            "num_scenarios": tuning.num_scenarios,
            **plan.model_dump(mode="json"),
        },
    }
    return TuningTask(constraint, plan, seed, settings)
