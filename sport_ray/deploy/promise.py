"""The promise of a bundle: computed at export, and again wherever a bundle is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sport_ray.bounds.arguments import require_real
from sport_ray.certificates import Certificate
from sport_ray.certificates.promise import promised
from sport_ray.constraints import Constraint
from sport_ray.errors import UserError

ROUNDING = 1e-9
"""Relative: another version of a library may round a bound otherwise, by far less."""


def promise_of(
    certificate: Certificate, constraint: Constraint, horizon: int, alpha_mu: float, alpha_p: float
) -> dict[str, Any]:
    """The bound on one episode's violation probability, what it rests on, and both in words.

    Raises:
        UserError: nothing is promised, or the certificate does not cover the horizon.
    """
    bound = promised(certificate, constraint, horizon, alpha_mu, alpha_p)
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
        "theorem": ": ".join(filter(None, (constraint.title, constraint.formula))),
        "statement": statement(certificate, horizon, bound),
    }


def statement(certificate: Certificate, horizon: int, bound: float) -> str:
    """The promise in words."""
    return (
        f"P(one episode violates {certificate.property!r} within {horizon} steps) ≤ {bound!r}, "
        f"with confidence 1 − {certificate.beta:g}, in the world named here"
    )


def require_promise(
    stated: Mapping[str, Any], certificate: Certificate, constraint: Constraint, horizon: int
) -> float:
    """Refuse a promise that is not what follows from certificate, constraint, T and world.

    Returns the bound as it was computed here.

    Raises:
        UserError: says which numbers do not fit.
    """
    found = promise_of(certificate, constraint, horizon, stated["alpha_mu"], stated["alpha_p"])
    if any(stated[name] != found[name] for name in ("eps_base", "beta")):
        raise UserError("the promise states another ε_base or β than the certificate")
    bound = require_real("bound", stated["bound"])
    if not math.isclose(bound, found["bound"], rel_tol=ROUNDING):
        raise UserError(
            f"the promise {bound} does not follow: certificate, constraint {constraint.name!r} and "
            f"world give {found['bound']:.9g}"
        )
    if stated != {**found, "bound": bound, "statement": statement(certificate, horizon, bound)}:
        raise UserError("the promise in words is not the one in numbers")
    return float(found["bound"])
