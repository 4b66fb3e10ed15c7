"""Cells: what each point of the grid means, its identity, and the jobs that compute them."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, InstanceOf, PlainSerializer

from experiments.deployment import world_factor
from experiments.hyperparameters import Point, point_text, restricted, with_values
from experiments.study import Study
from experiments.training_sections import PPOSection
from sport_ray.canonical import digest
from sport_ray.certificates import Certificate
from sport_ray.constraints import (
    CONSTRAINTS,
    Constraint,
    Unconstrained,
    constraint_from_json,
)
from sport_ray.envs.making import takes_horizon
from sport_ray.errors import UserError
from sport_ray.rollouts.environment import POINT_REACH_AVOID

PPO = ("projected_ppo", "unconstrained")
"""Sources by PPO: their settings are the study's sections on training."""
METHOD_VERSION = 2
"""Raised whenever the same parameters would give other numbers: old cells are then not reused."""

CellMethod = Literal["projected_ppo", "projected_at_deployment", "unconstrained", "unprojected"]


ConstraintField = Annotated[
    InstanceOf[Constraint],
    BeforeValidator(lambda v: v if isinstance(v, Constraint) else constraint_from_json(v)),
    PlainSerializer(lambda constraint: constraint.to_json(), return_type=dict),
]


class Cell(BaseModel):
    """One policy under one constraint, evaluated at one horizon.

    hyperparameters: values of training parameters that are an axis of the sweep.
    task_policy: the source of the task policy; None for one by PPO, which the method tells.
    """

    model_config = ConfigDict(frozen=True)

    method: CellMethod
    constraint: ConstraintField
    eps_max: float | None
    horizon: int
    seed: int
    hyperparameters: Point = ()
    task_policy: str | None = None

    @property
    def source(self) -> str:
        """The name of the source that makes the task policy."""
        by_ppo = "projected_ppo" if self.method == "projected_ppo" else "unconstrained"
        return self.task_policy or by_ppo

    @property
    def is_free(self) -> bool:
        """Whether the task policy is deployed as it is: nothing is promised beforehand."""
        return isinstance(self.constraint, Unconstrained)

    @property
    def alpha(self) -> float | None:
        """The constant ratio of the constraint, if it has one."""
        return getattr(self.constraint, "alpha", None)

    @property
    def hyperparameters_text(self) -> str | None:
        """The parameters as records have them, such as 'gamma=0.9, lr=0.0001'; None without."""
        return point_text(self.hyperparameters) or None

    def training(self, study: Study) -> PPOSection:
        """The section that the cell's policy is trained with, its own parameters in it."""
        section: PPOSection = study.training
        if self.method != "projected_ppo":
            section = study.unconstrained_training or study.training
        return with_values(section, self.hyperparameters)

    def identity(self, study: Study, certificate: Certificate) -> dict[str, Any]:
        """Everything that the cell's numbers depend on, and nothing about where it runs.

        What was added since is in it only where it is used, so that folders of studies without
        stay valid. The parameters of axes are named beside the section that they are in: a record
        says by them what sets its cell apart, and that must not depend on what was run before.
        """
        more: dict[str, Any] = {}
        if self.task_policy is None:
            more["training"] = self.training(study).model_dump(mode="json")
            if study.tuning and "warmup_env_steps" in study.tuning.parameters:
                # of sections without one
                more["warmup_env_steps"] = study.training.warmup_env_steps
        else:
            more["task_policy"] = {"name": self.task_policy, **_identity_of(self, study)}
        if self.hyperparameters:
            more["hyperparameters"] = dict(self.hyperparameters)
        if study.resources.gpus_per_cell:
            more["gpu"] = True  # which share of one says only where it runs
        return {
            "method_version": METHOD_VERSION,
            "method": self.method,
            "constraint": self.constraint.to_json(),
            "horizon": self.horizon,
            "seed": self.seed,
            "base": certificate.base_digest,
            "certificate": certificate.digest,
            "evaluation": study.evaluation.model_dump(mode="json"),
            "deployment": study.deployment and study.deployment.model_dump(mode="json"),
            "env_runners": study.resources.env_runners_per_cell,
            **more,
        }

    def cell_id(self, study: Study, certificate: Certificate) -> str:
        """Content hash (16 hex digits) of the identity."""
        return digest(self.identity(study, certificate))[:16]


def _identity_of(cell: Cell, study: Study) -> dict[str, Any]:
    """What the cell's source says of its policy; nothing for one that the study has no more."""
    from experiments.task_policies import SOURCES

    settings = (study.task_policies or {}).get(cell.source)
    return {} if settings is None else SOURCES[cell.source]().identity(settings)


class Job(BaseModel):
    """One training run and the cells that come out of it; kind: the task policy's source."""

    model_config = ConfigDict(frozen=True)

    kind: str
    cells: tuple[Cell, ...]


def constraints_for(
    study: Study, certificate: Certificate, horizon: int, *, trained: bool
) -> list[tuple[Constraint, float | None]]:
    """The constraints at a horizon, each with the ε_max that it was derived from, or None.

    Every kind with an α is taken at the study's alphas; every kind is derived from each ε_max that
    is in reach at this horizon.

    Raises:
        UserError: an ε_max below what the base policy itself is certified for at every horizon of
            the study, or a kind that cannot be had from what the study gives.
    """
    require_same_horizon(certificate, horizon)
    evidence = certificate.evidence(horizon)
    world = world_factor(study, horizon)
    beyond = [one.eps_max for one in out_of_reach(study, certificate) if one.horizon == horizon]
    axis: dict[Constraint, float | None] = {}
    for name in study.sweep.constraints:
        kind = CONSTRAINTS[name]
        if kind.takes_alpha():
            found: list[tuple[Constraint, float | None]] = [
                (kind(alpha=alpha), None)  # type: ignore[call-arg]
                for alpha in study.sweep.alphas or []
            ]
        else:
            found = []
        for eps_max in study.sweep.eps_max or []:
            if name == "violation_time" and study.sweep.alphas:
                continue  # its α must be given; the others' may be derived beside it
            if eps_max in beyond:
                continue
            level = _level(eps_max, world)
            found.append((kind.for_target(evidence, level, trained=trained), eps_max))
        for constraint, _ in found:
            constraint.prior_bound(evidence)  # a kind that cannot promise here says so now
        for constraint, origin in sorted(found, key=lambda one: getattr(one[0], "alpha", 0.0)):
            axis.setdefault(constraint, origin)
    return list(axis.items())


class OutOfReach(NamedTuple):
    """An ε_max below what the base itself is certified for at a horizon, in the study's world."""

    eps_max: float
    horizon: int
    certified: float


def out_of_reach(study: Study, certificate: Certificate) -> list[OutOfReach]:
    """The levels of risk that no constraint can promise at some of the study's horizons.

    Raises:
        UserError: one that is out of reach at every horizon.
    """
    found = []
    for eps_max in study.sweep.eps_max or []:
        beyond = []
        for horizon in study.horizons(certificate):
            world, eps_base = world_factor(study, horizon), certificate.eps_base(horizon)
            if _level(eps_max, world) < eps_base:
                beyond.append(OutOfReach(eps_max, horizon, eps_base * world))
        if len(beyond) == len(study.horizons(certificate)):
            nearest = min(beyond, key=lambda one: one.certified)
            raise UserError(
                f"eps_max = {eps_max} cannot be reached at horizon {nearest.horizon}: the base "
                f"policy itself is certified only to {nearest.certified:.4g}; raise eps_max, "
                "take a longer horizon, or certify with more scenarios"
            )
        found += beyond
    return found


def _level(eps_max: float, world: float) -> float:
    """What is left of ε_max in the certificate's world, inwards by more than the rounding."""
    return eps_max if world == 1.0 else eps_max / world * (1.0 - 1e-12)


def require_same_horizon(certificate: Certificate, horizon: int) -> None:
    """Refuse T < T_max where the environment is told its horizon and may act on it.

    ε_base(T) is read off episodes that were run with T_max. The point robot's horizon only ends
    its episodes (tested); of other environments nobody knows.
    """
    if certificate.env_id == POINT_REACH_AVOID or horizon == certificate.max_horizon:
        return
    if takes_horizon(certificate.env_id):
        raise UserError(
            f"environment {certificate.env_id!r} has an argument horizon and may behave otherwise "
            f"under T = {horizon} than under the certificate's {certificate.max_horizon}: set "
            f"certificate.max_horizon to {horizon}, or remove the argument from the environment"
        )


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
                others.append(_job_of(source, deployed, horizon, seed))
        for point, seed in itertools.product(study.sweep.points, study.sweep.seeds):

            def cell(
                method: CellMethod,
                constraint: Constraint,
                eps_max: float | None,
                horizon: int = horizon,
                seed: int = seed,
                point: Point = point,
            ) -> Cell:
                return Cell(
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
    source: str, constraints: list[tuple[Constraint, float | None]], horizon: int, seed: int
) -> Job:
    """The job of a source that knows of no constraint: its policy as it is, and projected."""
    about: dict[str, Any] = {"horizon": horizon, "seed": seed, "task_policy": source}
    free = Cell(method="unprojected", constraint=Unconstrained(), eps_max=None, **about)
    projected = [
        Cell(method="projected_at_deployment", constraint=constraint, eps_max=eps_max, **about)
        for constraint, eps_max in constraints
    ]
    return Job(kind=source, cells=(free, *projected))


def _unconstrained_parameters(study: Study) -> set[str]:
    """The parameters that training without a bound depends on: not how to project.

    The warm-up is the study's; as an axis it counts where there is no section of its own.
    """
    shared = {"warmup_env_steps"} if study.unconstrained_training is None else set()
    return {*PPOSection.model_fields, *shared}


def finite_or_none(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None
