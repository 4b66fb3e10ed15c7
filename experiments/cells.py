"""Cells: what each point of the grid means, its identity, and the jobs that compute them."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from experiments.deployment import perturbation
from experiments.study import PPOSection, Study
from sport_ray.bounds import max_alpha, ratio_bound
from sport_ray.canonical import digest
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, RatioConstraint, Unconstrained
from sport_ray.errors import UserError

METHOD_VERSION = 2
"""Raised whenever the same parameters would give other numbers: old cells are then not reused."""

CellMethod = Literal["projected_ppo", "projected_at_deployment", "unconstrained"]


class Cell(BaseModel):
    """One policy under one constraint, evaluated at one horizon."""

    model_config = ConfigDict(frozen=True)

    method: CellMethod
    alpha: float | None
    eps_max: float | None
    horizon: int
    seed: int

    @property
    def constraint(self) -> Constraint:
        """What the policy is projected onto."""
        return Unconstrained() if self.alpha is None else RatioConstraint(alpha=self.alpha)

    def identity(self, study: Study, certificate: Certificate) -> dict[str, Any]:
        """Everything that the cell's numbers depend on, and nothing about where it runs."""
        training: PPOSection = study.training
        if self.method != "projected_ppo":
            training = study.unconstrained_training or study.training
        return {
            "method_version": METHOD_VERSION,
            "method": self.method,
            "constraint": self.constraint.to_json(),
            "horizon": self.horizon,
            "seed": self.seed,
            "base": certificate.base_digest,
            "certificate": certificate.digest,
            "training": training.model_dump(mode="json"),
            "evaluation": study.evaluation.model_dump(mode="json"),
            "deployment": study.deployment and study.deployment.model_dump(mode="json"),
            "env_runners": study.resources.env_runners_per_cell,
        }

    def cell_id(self, study: Study, certificate: Certificate) -> str:
        """Content hash (16 hex digits) of the identity."""
        return digest(self.identity(study, certificate))[:16]


class Job(BaseModel):
    """One training run and the cells that come out of it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["projected_ppo", "unconstrained"]
    cells: tuple[Cell, ...]


def alphas_for(
    study: Study, certificate: Certificate, horizon: int
) -> list[tuple[float, float | None]]:
    """The α axis at a horizon: (α, the ε_max it was derived from or None), ascending.

    Raises:
        UserError: an ε_max below what the base policy itself is certified for.
    """
    axis: list[tuple[float, float | None]] = [(a, None) for a in study.sweep.alphas or []]
    eps_base = certificate.eps_base(horizon)
    world = perturbation(study)
    least = ratio_bound(eps_base, 1.0, horizon, **world._asdict())
    for eps_max in study.sweep.eps_max or []:
        if eps_max < least:
            raise UserError(
                f"eps_max = {eps_max} cannot be reached at horizon {horizon}: the base policy "
                f"itself is certified only to {least:.4g}; raise eps_max, take a longer "
                "horizon, or certify with more scenarios"
            )
        axis.append((max_alpha(eps_base, eps_max, horizon, **world._asdict()), eps_max))
    seen: dict[float, float | None] = {}
    for value, origin in axis:
        seen.setdefault(value, origin)
    return sorted(seen.items())


def plan_jobs(study: Study, certificate: Certificate) -> list[Job]:
    """All jobs of a study, longest first so that no worker idles at the end.

    Policies that are trained without a bound do not depend on α: one run per (T, seed) serves
    the cell 'unconstrained' and every α of 'projected at deployment'.
    """
    shared: list[Job] = []
    single: list[Job] = []
    for horizon in study.horizons(certificate):
        axis = alphas_for(study, certificate, horizon)
        for seed in study.sweep.seeds:
            if "projected_at_deployment" in study.sweep.methods:
                free = Cell(
                    method="unconstrained", alpha=None, eps_max=None, horizon=horizon, seed=seed
                )
                projected = [
                    Cell(
                        method="projected_at_deployment",
                        alpha=alpha,
                        eps_max=eps_max,
                        horizon=horizon,
                        seed=seed,
                    )
                    for alpha, eps_max in axis
                ]
                shared.append(Job(kind="unconstrained", cells=(free, *projected)))
            if "projected_ppo" in study.sweep.methods:
                for alpha, eps_max in axis:
                    cell = Cell(
                        method="projected_ppo",
                        alpha=alpha,
                        eps_max=eps_max,
                        horizon=horizon,
                        seed=seed,
                    )
                    single.append(Job(kind="projected_ppo", cells=(cell,)))
    return shared + single


def finite_or_none(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None
