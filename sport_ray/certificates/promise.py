"""The promise that a certificate and a constraint make together, in the world of deployment."""

from __future__ import annotations

import math

from sport_ray.bounds import ratio_bound
from sport_ray.certificates.certificate import Certificate
from sport_ray.constraints import Constraint
from sport_ray.constraints.mixture import Mixture

REFUTATION_LEVEL = 1e-6
"""Probability that true promises are called refuted: of a study, or of a bundle's one cell."""


def promised(
    certificate: Certificate,
    constraint: Constraint | Mixture,
    horizon: int,
    alpha_mu: float,
    alpha_p: float,
) -> float | None:
    """The constraint's prior bound times α_μ α_p^T, rounded up; None where nothing is promised.

    A policy in a world whose initial law and transitions have at most the ratios α_μ and α_p to the
    certified ones violates with at most that factor of its probability there.

    Raises:
        UserError: a horizon that the certificate does not cover.

    Source: arXiv 2504.06386, robust control; docs/bounds.md.
    """
    bound = constraint.prior_bound(certificate.evidence(horizon))
    factor = ratio_bound(1.0, 1.0, horizon, alpha_mu=alpha_mu, alpha_p=alpha_p)
    if bound is None or factor == 1.0:
        return bound
    return math.nextafter(bound * factor, math.inf)
