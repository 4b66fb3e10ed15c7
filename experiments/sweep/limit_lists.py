"""Lists of limits that scenarios of the base are to choose from: which, in what order, at which β.

A list is all limits of one kind for one policy source, T, seed and point. Its scenarios follow from
its content, so that a list that was changed, with the results of another in view, is tested on
scenarios that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sport_ray.bounds.limit_choice import beta_for_counts, largest_count
from sport_ray.bounds.perturbation import level_within
from sport_ray.canonical import digest
from sport_ray.certificates import Certificate
from sport_ray.constraints import Constraint, Evidence, MustBeGivenError, constraint_class
from sport_ray.errors import UserError
from sport_ray.experiments.config.choose_limits import FromBaseScenarios
from sport_ray.experiments.config.environment import world_factor
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.constraints import out_of_reach
from sport_ray.experiments.sweep.place import Place


def limit_lists(
    study: Study, certificate: Certificate, horizon: int, *, trained: bool
) -> list[list[Constraint]]:
    """The limits at a horizon, a rising list for each kind; none where nothing is in reach.

    Raises:
        UserError: a kind that has no such list, or a certificate that cannot serve twice.
    """
    asked = settings(study)
    levels = levels_at(study, certificate, horizon)
    if asked is None or not levels:
        return []
    evidence = _known_beforehand(certificate.evidence(horizon), asked)
    level = level_within(levels[0], world_factor(study, horizon))
    found = []
    some = asked.constraints_of
    kinds = {kind for kinds in some.values() for kind in kinds} if some else study.sweep.constraints
    for name in [one for one in study.sweep.constraints if one in kinds]:
        kind = constraint_class(name, run_module=True)
        if asked.scenarios == "certificate" and not kind.simultaneous:
            raise UserError(
                f"sweep.choose: the bound of {name!r} looks at more of the certificate's scenarios "
                "than their count, so that they cannot choose its limit: take fresh ones"
            )
        found.append(_list_of(kind, evidence, level, asked, trained))
    return found


def _list_of(
    kind: type[Constraint],
    evidence: Evidence,
    level: float,
    asked: FromBaseScenarios,
    trained: bool,
) -> list[Constraint]:
    given = asked.limits.get(kind.name)
    try:
        prior = kind.for_target(evidence, level, trained=trained)
    except MustBeGivenError:
        if given is None or not kind.takes_alpha():
            raise UserError(
                f"sweep.choose: the limit of {kind.name!r} does not follow from a risk: give "
                f"choose.from_base_scenarios.limits.{kind.name}"
            ) from None
        prior = kind(alpha=1.0)  # type: ignore[call-arg]  # takes_alpha() says it has one
    if given is not None:
        return [prior.with_limit(limit) for limit in given]
    return [prior.widened(factor) for factor in asked.factors]


def _known_beforehand(evidence: Evidence, asked: FromBaseScenarios) -> Evidence:
    """What of the certificate a list may depend on: of its own scenarios the count alone.

    Raises:
        UserError: their number was found by looking at them.
    """
    if asked.scenarios == "fresh":
        return evidence
    if not evidence.fixed_number:
        raise UserError(
            "sweep.choose: the certificate's number of scenarios was found by looking at them, so "
            "they cannot choose limits: take fresh ones, or certify without certificate.stop"
        )
    left = tuple(float(evidence.horizon - step) for step in range(evidence.horizon))
    return replace(evidence, steps_left=left)


def settings(study: Study) -> FromBaseScenarios | None:
    """How limits are chosen, if they are."""
    asked = study.sweep.choose
    return None if asked is None else asked.from_base_scenarios


def levels_at(study: Study, certificate: Certificate, horizon: int) -> list[float]:
    """The risks that are in reach at a horizon, rising."""
    beyond = [one.eps_max for one in out_of_reach(study, certificate) if one.horizon == horizon]
    return sorted(level for level in study.sweep.eps_max or [] if level not in beyond)


def beta_of(asked: FromBaseScenarios, certificate: Certificate, levels: Sequence[float]) -> float:
    """With what probability the choice for one of these risks may err."""
    return (certificate.beta if asked.beta is None else asked.beta) / len(levels)


def places(
    study: Study,
    certificate: Certificate,
    horizon: int,
    members: Sequence[dict[str, Any]],
    *,
    learned_from: int,
) -> list[Place]:
    """The places of a list's members, given by their identities in order.

    learned_from: of the certificate's scenarios, how many the policies were learned from.

    Raises:
        UserError: none of the certificate's scenarios is left.
    """
    asked = settings(study)
    assert asked is not None
    levels = levels_at(study, certificate, horizon)
    risk_beta = beta_of(asked, certificate, levels)
    beta = risk_beta
    first, count = 0, asked.num_scenarios
    if asked.scenarios == "certificate":
        evidence = certificate.evidence(horizon)
        most = max(study.sweep.eps_max or levels)
        beta = beta_for_counts(beta, largest_count(evidence.num_scenarios, evidence.beta, most))
        first, count = learned_from, evidence.num_scenarios - learned_from
        if count < 1:
            raise UserError(
                "sweep.choose: policies are learned from all of the certificate's scenarios: keep "
                "fewer (certificate.transitions), or take fresh ones"
            )
    about: dict[str, Any] = {
        "levels": levels,
        "scenarios": asked.scenarios,
        "first": first,
        "num_scenarios": count,
        "beta": beta,
        "risk_beta": risk_beta,
    }
    list_id = digest({**about, "members": list(members)})[:16]
    return [
        Place(list_id=list_id, rank=rank, size=len(members), **about)
        for rank in range(1, len(members) + 1)
    ]
