"""The grid of a study as jobs: which cells share a training run."""

from __future__ import annotations

import itertools

from experiments.cells import Cell, CellMethod, Job
from experiments.constraint_axis import constraints_for
from experiments.hyperparameters import Point, restricted
from experiments.study import Study
from experiments.training_sections import PPOSection
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, Unconstrained

PPO = ("projected_ppo", "unconstrained")
"""Sources by PPO: their settings are the study's sections on training."""


def plan_jobs(study: Study, certificate: Certificate) -> list[Job]:
    """All jobs of a study, longest first so that no worker idles at the end.

    Policies that are trained without a bound do not depend on the constraint: one run per
    (T, parameters, seed) serves the cell 'unconstrained' and every cell of 'projected at
    deployment'. Parameters that such a run does not have make no further runs. Sources beside
    those by PPO have no such parameters: one run per (T, seed).
    """
    others: list[Job] = []
    shared: list[Job] = []
    single: list[Job] = []
    seen: set[tuple[int, Point, int]] = set()
    sources = study.sources
    for horizon in study.horizons(certificate):
        trained = constraints_for(study, certificate, horizon, trained=True)
        deployed = constraints_for(study, certificate, horizon, trained=False)
        for source, seed in itertools.product(sources, study.sweep.seeds):
            if source not in PPO:
                others.append(_job_of(study, certificate, source, deployed, horizon, seed))
        for point, seed in itertools.product(study.sweep.points, study.sweep.seeds):

            def cell(
                method: CellMethod,
                constraint: Constraint,
                eps_max: float | None,
                horizon: int = horizon,
                seed: int = seed,
                point: Point = point,
            ) -> Cell:
                return Cell.of(
                    study,
                    certificate,
                    method=method,
                    constraint=constraint,
                    eps_max=eps_max,
                    horizon=horizon,
                    seed=seed,
                    hyperparameters=point,
                )

            if "projected_ppo" in sources:
                single += [
                    Job(kind="projected_ppo", cells=(cell("projected_ppo", *one),))
                    for one in trained
                ]
            free = restricted(point, _unconstrained_parameters(study))
            if "unconstrained" in sources and (horizon, free, seed) not in seen:
                seen.add((horizon, free, seed))
                projected = [cell("projected_at_deployment", *one, point=free) for one in deployed]
                first = cell("unconstrained", Unconstrained(), None, point=free)
                shared.append(Job(kind="unconstrained", cells=(first, *projected)))
    return others + shared + single


def _job_of(
    study: Study,
    certificate: Certificate,
    source: str,
    constraints: list[tuple[Constraint, float | None]],
    horizon: int,
    seed: int,
) -> Job:
    """The job of a source that knows of no constraint: its policy as it is, and projected."""

    def cell(method: CellMethod, constraint: Constraint, eps_max: float | None) -> Cell:
        return Cell.of(
            study,
            certificate,
            method=method,
            constraint=constraint,
            eps_max=eps_max,
            horizon=horizon,
            seed=seed,
            task_policy=source,
        )

    free = cell("unprojected", Unconstrained(), None)
    projected = [cell("projected_at_deployment", *one) for one in constraints]
    return Job(kind=source, cells=(free, *projected))


def _unconstrained_parameters(study: Study) -> set[str]:
    """The parameters that training without a bound depends on: not how to project.

    The warm-up is the study's; as an axis it counts where there is no section of its own.
    """
    shared = {"warmup_env_steps"} if study.unconstrained_training is None else set()
    return {*PPOSection.model_fields, *shared}
