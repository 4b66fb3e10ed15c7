"""The constraints of a study at a horizon: those with a given α, those derived from a risk."""

from __future__ import annotations

from typing import NamedTuple

from sport_ray.bounds.perturbation import level_within
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, MustBeGivenError, constraint_class
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import world_factor
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.training_promise import planned_risk


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
    evidence = certificate.evidence(horizon)
    world = world_factor(study, horizon)
    beyond = [one.eps_max for one in out_of_reach(study, certificate) if one.horizon == horizon]
    axis: dict[Constraint, float | None] = {}
    for name in study.sweep.constraints:
        kind = constraint_class(name, run_module=True)
        if kind.takes_alpha():
            found: list[tuple[Constraint, float | None]] = [
                (kind(alpha=alpha), None)  # type: ignore[call-arg]  # takes_alpha() says it has one
                for alpha in study.sweep.alphas or []
            ]
        else:
            found = []
        for eps_max, level in _levels(study, world):
            if eps_max in beyond:
                continue
            try:
                found.append((kind.for_target(evidence, level, trained=trained), eps_max))
            except MustBeGivenError:
                if not study.sweep.alphas:
                    raise
                break  # it has its alphas; the other kinds' may be derived beside it
        for constraint, _ in found:
            constraint.prior_bound(evidence)  # a kind that cannot promise here says so now
        for constraint, origin in sorted(found, key=lambda one: getattr(one[0], "alpha", 0.0)):
            axis.setdefault(constraint, origin)
    return list(axis.items())


def _levels(study: Study, world: float) -> list[tuple[float, float]]:
    """The acceptable risks, each with what is left of it in the certificate's world.

    One that keeps to a number of training violations is about that world alone.
    """
    found = [(eps_max, level_within(eps_max, world)) for eps_max in study.sweep.eps_max or []]
    planned = planned_risk(study)
    return found if planned is None else [*found, (planned, planned)]


class OutOfReach(NamedTuple):
    """An ε_max below what the base itself is certified for at a horizon, in the study's world."""

    eps_max: float
    horizon: int
    certified: float


def out_of_reach(study: Study, certificate: Certificate) -> list[OutOfReach]:
    """The levels of risk that no constraint can promise at some of the study's horizons.

    Raises:
        UserError: one that is out of reach at every horizon, where the study does not skip it.
    """
    found = []
    planned = planned_risk(study)
    for eps_max in [*(study.sweep.eps_max or []), *([] if planned is None else [planned])]:
        beyond = []
        for horizon in study.horizons(certificate):
            world, eps_base = world_factor(study, horizon), certificate.eps_base(horizon)
            if eps_max == planned:
                world = 1.0
            if level_within(eps_max, world) < eps_base:
                beyond.append(OutOfReach(eps_max, horizon, eps_base * world))
        refused = study.sweep.out_of_reach == "refuse"
        if refused and len(beyond) == len(study.horizons(certificate)):
            nearest = min(beyond, key=lambda one: one.certified)
            least, best = min(
                (certificate.eps_base(one) * world_factor(study, one), one)
                for one in range(1, certificate.max_horizon + 1)
                if certificate.choice is None or one == certificate.choice.horizon
            )
            remedy = f"take horizon {best}, where it is {least:.4g}, " if least < eps_max else ""
            if eps_max == planned:
                plan = study.certificate.plan
                assert plan is not None
                raise UserError(
                    f"certificate.plan allows {plan.training_violations:g} violations in "
                    f"{plan.training_episodes} training episodes, a risk of {eps_max:.4g} each, "
                    f"and the base policy itself is certified only to {nearest.certified:.4g} (T = "
                    f"{nearest.horizon}): raise training_violations, allow fewer episodes, "
                    f"{remedy}or certify with more scenarios"
                )
            raise UserError(
                f"eps_max = {eps_max} cannot be reached at horizon {nearest.horizon}: the base "
                f"policy itself is certified only to {nearest.certified:.4g}; raise eps_max, "
                f"{remedy}or certify with more scenarios"
            )
        found += beyond
    return found
