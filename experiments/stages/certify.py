"""The certificate stage: scenarios of the base on Ray workers, then the table and the file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sport_ray.certificates import (
    AnytimeSampling,
    Certificate,
    build_certificate,
    load_certificate,
    save_certificate,
)
from sport_ray.certificates.independence import require_no_memory
from sport_ray.certificates.recount import require_counted
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.choose import load_choice
from sport_ray.experiments.stages.gpu_worker import runner_of
from sport_ray.experiments.stages.world import require_sources_unchanged, unchanged_since
from sport_ray.rollouts import (
    OutcomeTotals,
    ScenarioPlan,
    Tally,
    base_behaviour,
)
from sport_ray.rollouts.seeding import Purpose
from sport_ray.rollouts.table_file import OutcomeWriter, file_sha256
from sport_ray.samplers import BaseFile
from sport_ray.sources import environment_sources
from sport_ray.versions import versions

Look = Callable[[OutcomeTotals], None]


def base_plan(folder: StudyFolder, purpose: Purpose) -> ScenarioPlan:
    """Scenarios of the base policy in the environment and with the property of the study."""
    study = folder.study
    return study.task(study.certificate.max_horizon, 0).plan(purpose, study.certificate.root_seed)


def certify(
    folder: StudyFolder,
    base: BaseFile,
    progress: Callable[[int], None] | None = None,
    look: Look | None = None,
    need: RayWhenNeeded | None = None,
    again: Callable[[int, int], None] | None = None,
) -> Certificate:
    """Run the scenarios and write ``certificate.json`` and the outcome table.

    Scenarios are counted and written as they come, in order of their index, so memory does not
    grow with their number. ``look`` sees the totals after each portion. need: what starts Ray,
    where the scenarios are worth it. again: told how many episodes of how many were repeated, in
    the search for memory.
    """
    plan = base_plan(folder, "certify")
    choice = load_choice(folder, base_plan(folder, "choose"))
    if choice is not None and choice.base_digest != base.digest:
        raise UserError(
            f"{folder.choice} chose another base policy than is there now: choose another folder "
            "with --results"
        )
    before = environment_sources(plan.env_id, plan.env_kwargs)
    # From here on the old certificate has no table: it must not survive if anything goes wrong.
    folder.certificate.unlink(missing_ok=True)
    settings = folder.study.certificate
    sampling = settings.sampling
    behaviour = base_behaviour(base, run_module=True)
    totals, tally = OutcomeTotals(plan.horizon), Tally()
    chunk = sampling.check_every if isinstance(sampling, AnytimeSampling) else None
    with closing(runner_of(folder.study, plan, behaviour, need)) as runner:
        stream = runner.stream(plan, behaviour, sampling.planned, chunk=chunk, progress=progress)
        with OutcomeWriter(folder.outcomes) as writer, closing(stream):
            for outcomes, counted in stream:
                totals.add(outcomes)
                tally.add(counted)
                writer.add(outcomes)
                if look is not None:
                    look(totals)
                if isinstance(sampling, AnytimeSampling):
                    violations = totals.num_violations[sampling.horizon - 1]
                    each = settings.beta / plan.horizon
                    if sampling.verdict(totals.num_scenarios, violations, each) != "go on":
                        break
        require_no_memory(plan, behaviour, folder.outcomes, runner, again)
    sources = unchanged_since(before, environment_sources(plan.env_id, plan.env_kwargs))
    certificate = build_certificate(
        plan,
        totals,
        tally,
        sampling=sampling,
        beta=settings.beta,
        base_digest=base.digest,
        outcomes_file=folder.outcomes.name,
        outcomes_sha256=file_sha256(folder.outcomes),
        versions=versions(sources.distributions) | runner.versions,
        code=sources.code,
        choice=choice,
    )
    folder.transitions.unlink(missing_ok=True)  # of the old one
    save_certificate(folder.certificate, certificate)
    return certificate


def load_matching(folder: StudyFolder, base: BaseFile) -> Certificate:
    """The folder's certificate, if it is for this base, environment, property and section.

    Every number of it is counted again from its table, and every source that it names must be
    unchanged. Other versions of packages are not refused here: see
    ``sport_ray.experiments.stages.world``.

    Raises:
        UserError: none there, altered, for something else, or not what its table gives.
    """
    certificate = load_certificate(folder.certificate)
    study = folder.study
    certificate.require_match(
        base_digest=base.digest,
        env_id=study.environment.id,
        env_kwargs=study.environment.kwargs,
        property_=study.property,
    )
    certificate.require_settings(
        sampling=study.certificate.sampling,
        beta=study.certificate.beta,
        max_horizon=study.certificate.max_horizon,
        root_seed=study.certificate.root_seed,
        choice=load_choice(folder, base_plan(folder, "choose")),
    )
    require_counted(certificate, folder.outcomes)
    require_sources_unchanged(certificate)
    return certificate
