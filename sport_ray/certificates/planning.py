"""What a certificate permits before anything is trained: the largest α for each T and ε_max."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sport_ray.bounds import max_alpha, ratio_bound
from sport_ray.certificates.certificate import Certificate
from sport_ray.properties import parse_property

LEVELS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_BELOW_ONE = math.nextafter(1.0, 0.0)


@dataclass(frozen=True)
class Permitted:
    """The largest density ratio at a horizon T that keeps the prior bound at or below ε_max.

    eps_base: bound on the base's risk within T steps that the certificate stands for.
    alpha: None where even the base policy exceeds ε_max.
    prior_bound: ε_base·α_μ·(α_p·α)^T at that α, or at α = 1 where there is none.
    """

    eps_max: float
    horizon: int
    num_violations: int
    eps_base: float
    alpha: float | None
    prior_bound: float

    @property
    def log_alpha(self) -> float | None:
        """Log α, nats per step."""
        return None if self.alpha is None else math.log(self.alpha)


def permitted(
    certificate: Certificate, eps_max: float, *, alpha_mu: float = 1.0, alpha_p: float = 1.0
) -> list[Permitted]:
    """The largest α at every horizon that the certificate stands for.

    All rows hold together with the certificate's confidence, so the best may be picked.

    Raises:
        ValueError: ε_max outside (0, 1].
    """
    if not 0.0 < eps_max <= 1.0:
        raise ValueError(f"eps_max must lie in (0, 1], got {eps_max!r}")
    horizons = certificate.table.horizon
    if certificate.choice is not None:
        horizons = [certificate.choice.horizon]
    level = min(eps_max, _BELOW_ONE)
    rows = []
    for horizon in horizons:
        eps_base = certificate.eps_base(horizon)
        bound = ratio_bound(eps_base, 1.0, horizon, alpha_mu=alpha_mu, alpha_p=alpha_p)
        alpha = None
        if bound <= level:
            alpha = max_alpha(eps_base, level, horizon, alpha_mu=alpha_mu, alpha_p=alpha_p)
            bound = ratio_bound(eps_base, alpha, horizon, alpha_mu=alpha_mu, alpha_p=alpha_p)
        violations = certificate.table.num_violations[horizon - 1]
        rows.append(Permitted(eps_max, horizon, violations, eps_base, alpha, bound))
    return rows


def best(rows: list[Permitted]) -> Permitted | None:
    """The row with the largest α, the shortest T among equals; None where nothing is permitted.

    Of use among horizons that promise the same (``may_pick_from``).
    """
    possible = [row for row in rows if row.alpha is not None]
    return max(possible, key=lambda row: (row.alpha or 0.0, -row.horizon), default=None)


def may_pick_from(certificate: Certificate) -> int | None:
    """The shortest T (steps) from which on T may be picked by the risk alone; None where none may.

    From there on what is satisfied within T steps is satisfied for good, as in ``(!hazard) U
    goal``. Of ``G !hazard`` a shorter T always permits a larger α, and promises less: there T is
    a part of what is asked. A choice has picked T already.
    """
    if certificate.choice is not None:
        return certificate.choice.horizon
    return parse_property(certificate.property).kept_from(certificate.max_horizon)
