"""The promise of a bundle: computed at export, and again wherever a bundle is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from sport_ray.bounds.arguments import require_real
from sport_ray.certificates import Certificate
from sport_ray.certificates.promise import promised
from sport_ray.constraints import Constraint
from sport_ray.constraints.mixture import Mixture
from sport_ray.deploy.from_data import SCOPE, FromData
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Distribution
from sport_ray.samplers import SamplerFile

ROUNDING = 1e-9
"""Relative: another version of a library may round a bound otherwise, by far less."""


class Selection(NamedTuple):
    """A policy that chooses among ``num_candidates`` actions; base: what draws them, in words."""

    num_candidates: int
    base: str

    @classmethod
    def around(cls, num_candidates: int, base: object) -> Selection:
        """Around a base policy, or a sampler of the user's."""
        words = "the base policy"
        if isinstance(base, SamplerFile):
            words = f"the base sampler {base.spec.entry!r}"
        return cls(num_candidates, words)


class Parts(NamedTuple):
    """How each part of a mixture chooses among candidates; None for one that draws its action."""

    selections: tuple[Selection | None, ...]


How = Selection | Parts | None
"""What a policy draws: an action (None), one of several candidates, or one of several policies."""


def promise_of(
    certificate: Certificate,
    constraint: Constraint | Mixture,
    horizon: int,
    alpha_mu: float,
    alpha_p: float,
    selection: How = None,
    family: type[Distribution] | None = None,
    from_data: FromData | None = None,
) -> dict[str, Any]:
    """The bound on one episode's violation probability, what it rests on, and both in words.

    family: what the policy draws from; without a selection, and where it is known. from_data: the
    list that the limit was chosen from by scenarios, in place of the prior bound.

    Raises:
        UserError: nothing is promised (for what is drawn), or the certificate does not cover the
            horizon.
    """
    _require_families(constraint, selection, family)
    bound = promised(certificate, constraint, horizon, alpha_mu, alpha_p)
    if bound is not None and from_data is not None:
        return {
            "bound": from_data.level,
            "beta": from_data.beta,
            "eps_base": certificate.eps_base(horizon),
            "alpha_mu": alpha_mu,
            "alpha_p": alpha_p,
            "theorem": f"{from_data.theorem}; {theorem(constraint, selection)} says less",
            "scope": SCOPE,
            "statement": statement(certificate, horizon, from_data.level, selection, from_data),
        }
    if bound is None:
        raise UserError(
            f"constraint {constraint.name!r} cannot be deployed: nothing is promised for it"
        )
    if not bound < 1.0:
        raise UserError(
            f"a bound of {bound:.6g} promises nothing: choose a smaller α or budget, or a shorter "
            "horizon"
        )
    return {
        "bound": bound,
        "beta": certificate.beta,
        "eps_base": certificate.eps_base(horizon),
        "alpha_mu": alpha_mu,
        "alpha_p": alpha_p,
        "theorem": theorem(constraint, selection),
        "statement": statement(certificate, horizon, bound, selection),
    }


def _require_families(
    constraint: Constraint | Mixture, how: How, family: type[Distribution] | None
) -> None:
    """Refuse a constraint, of a mixture one of its parts', whose theorem does not hold here.

    Raises:
        UserError: says which.
    """
    if isinstance(constraint, Mixture):
        selections = how.selections if isinstance(how, Parts) else ()
        if len(selections) != len(constraint.parts):
            raise UserError(
                f"a mixture of {len(constraint.parts)} parts needs as many policies, got "
                f"{len(selections)}"
            )
        for part, selection in zip(constraint.parts, selections, strict=True):
            _require_families(part, selection, family)
        return
    if isinstance(how, Parts):
        raise UserError(f"constraint {constraint.name!r} is for one policy, not for a mixture")
    drawn = Categorical if how is not None else family
    if drawn is not None:
        constraint.require_family(drawn)


def theorem(constraint: Constraint | Mixture, selection: How = None) -> str:
    """Which bound, and what its ratio is of."""
    found = ": ".join(filter(None, (constraint.title, constraint.formula)))
    if isinstance(constraint, Mixture) and isinstance(selection, Parts):
        both = zip(constraint.weights, constraint.parts, selection.selections, strict=True)
        parts = (f"({weight:.6g}) {theorem(part, one)}" for weight, part, one in both)
        return f"{found}; parts: {'; '.join(parts)}"
    if selection is None or isinstance(selection, Parts):
        return found
    return (
        f"{found}; by selection: the ratio is that of an index among {selection.num_candidates} "
        "actions of the base to a uniform one"
    )


def statement(
    certificate: Certificate,
    horizon: int,
    bound: float,
    selection: How = None,
    from_data: FromData | None = None,
) -> str:
    """The promise in words."""
    beta = certificate.beta if from_data is None else from_data.beta
    said = (
        f"P(one episode violates {certificate.property!r} within {horizon} steps) ≤ {bound!r}, "
        f"with confidence 1 − {beta:g}, in the world named here"
    )
    if from_data is not None:
        said += f", of {SCOPE}"
    if selection is None:
        return said
    if isinstance(selection, Parts):
        said += (
            f", of the policy that at the start of each episode draws one of its "
            f"{len(selection.selections)} parts, with the weights named here and independently of "
            "all else, and keeps to it"
        )
        for number, one in enumerate(selection.selections):
            if one is not None:
                said += (
                    f"; part {number} draws {one.num_candidates} actions of {one.base} and plays "
                    "one of them: their number and what draws them are part of it"
                )
        return said
    return (
        f"{said}, of the policy that draws {selection.num_candidates} actions of {selection.base} "
        "and plays one of them: their number and what draws them are part of it"
    )


def require_promise(
    stated: Mapping[str, Any],
    certificate: Certificate,
    constraint: Constraint | Mixture,
    horizon: int,
    selection: How = None,
    family: type[Distribution] | None = None,
    from_data: FromData | None = None,
) -> float:
    """Refuse a promise that is not what follows from certificate, constraint, T and world.

    Returns the bound as it was computed here.

    Raises:
        UserError: says which numbers do not fit.
    """
    ratios = stated["alpha_mu"], stated["alpha_p"]
    found = promise_of(certificate, constraint, horizon, *ratios, selection, family, from_data)
    if any(stated[name] != found[name] for name in ("eps_base", "beta")):
        raise UserError("the promise states another ε_base or β than the certificate")
    bound = require_real("bound", stated["bound"])
    if not math.isclose(bound, found["bound"], rel_tol=ROUNDING):
        raise UserError(
            f"the promise {bound} does not follow: certificate, constraint {constraint.name!r} and "
            f"world give {found['bound']:.9g}"
        )
    said = statement(certificate, horizon, bound, selection, from_data)
    if stated != {**found, "bound": bound, "statement": said}:
        raise UserError("the promise in words is not the one in numbers")
    return float(found["bound"])
