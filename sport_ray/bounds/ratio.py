"""The prior bound of SPoRt: what a bounded density ratio does to a violation probability."""

from __future__ import annotations

import math

from sport_ray.bounds.arguments import (
    require_at_least,
    require_beta,
    require_integer,
    require_open_unit,
    require_probability,
    require_reachable,
)


def ratio_bound(
    eps_base: float, alpha: float, horizon: int, *, alpha_mu: float = 1.0, alpha_p: float = 1.0
) -> float:
    """Prior bound ε_base · α_μ · (α_p · α)^T on a ratio-bounded policy's violation probability.

    Holds for every policy with π(a|s)/π_base(a|s) ≤ α for all a and s, over at most T steps; it
    needs no dynamics and no form of the property. ε_base holds in the base's world, with initial
    law μ and transition law p; the bound, in every world with μ'/μ ≤ α_μ and p'/p ≤ α_p everywhere
    (``gaussian_max_ratio``), by default the base's own. Not clipped: a value of 1 or more means
    that nothing is promised, and ``inf`` that the product overflows or that a ratio is infinite.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in [0, 1].
        alpha: largest density ratio, ≥ 1.
        horizon: T ≥ 1, steps.
        alpha_mu: largest ratio of the initial laws, ≥ 1 or ``inf``.
        alpha_p: largest ratio of the transition laws, per step, ≥ 1 or ``inf``.

    Raises:
        ValueError: an argument out of range, by name.

    Source: arXiv 2504.06386, Theorem on property violation under modified policies, and its
    extension to modified dynamics.

    >>> round(ratio_bound(0.00017, 1.5, 10), 4)
    0.0098
    >>> round(ratio_bound(0.00017, 1.2, 10, alpha_mu=1.5, alpha_p=1.1), 4)
    0.0041
    """
    eps_base = require_probability("eps_base", eps_base)
    alpha = require_at_least("alpha", alpha, 1.0)
    horizon = require_integer("horizon", horizon, 1)
    alpha_mu = _ratio("alpha_mu", alpha_mu)
    alpha_p = _ratio("alpha_p", alpha_p)
    if math.isinf(alpha_mu) or math.isinf(alpha_p):
        return math.inf  # even what has probability 0 under the base may now happen
    start, step = eps_base, alpha
    if alpha_mu > 1.0:
        start = math.nextafter(eps_base * alpha_mu, math.inf) if eps_base > 0.0 else 0.0
    if alpha_p > 1.0:  # outwards: T steps multiply a rounding
        step = alpha_p if alpha == 1.0 else math.nextafter(alpha_p * alpha, math.inf)
    if math.isinf(step):
        return math.inf if start > 0.0 else 0.0
    try:
        return start * step**horizon
    except OverflowError:
        return math.inf if start > 0.0 else 0.0


def max_alpha(
    eps_base: float,
    eps_max: float,
    horizon: int,
    *,
    alpha_mu: float = 1.0,
    alpha_p: float = 1.0,
) -> float:
    """Largest α whose prior bound is at most ε_max: α = (ε_max / (ε_base α_μ))^{1/T} / α_p.

    Rounded so that ``ratio_bound(eps_base, max_alpha(...), horizon, ...) <= eps_max`` as evaluated.
    For Gaussian policies ``gauss_renyi_max_alpha`` is larger.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least the bound at α = 1.
        horizon: T ≥ 1, steps.
        alpha_mu: largest ratio of the initial laws, ≥ 1 or ``inf``.
        alpha_p: largest ratio of the transition laws, per step, ≥ 1 or ``inf``.

    Raises:
        ValueError: an argument out of range, by name; or an eps_max that not even α = 1 keeps to.

    Source: arXiv 2504.06386, the prior bound solved for α.

    >>> round(max_alpha(0.00017, 0.01, 10), 3)
    1.503
    >>> round(max_alpha(0.00017, 0.01, 10, alpha_mu=1.5, alpha_p=1.1), 3)
    1.312
    """
    eps_base = require_open_unit("eps_base", eps_base)
    eps_max = require_beta("eps_max", eps_max)
    horizon = require_integer("horizon", horizon, 1)
    worlds = {"alpha_mu": _ratio("alpha_mu", alpha_mu), "alpha_p": _ratio("alpha_p", alpha_p)}
    base_policy = ratio_bound(eps_base, 1.0, horizon, **worlds)
    if base_policy == eps_base:
        require_reachable(eps_max, base_policy)
    else:
        name = "eps_base * alpha_mu * alpha_p**horizon"
        require_reachable(eps_max, base_policy, name, " in the perturbed world")
    nats = (math.log(eps_max) - math.log(eps_base) - math.log(alpha_mu)) / horizon
    # Below the logarithm of the largest float: a subnormal eps_base must not overflow.
    alpha = math.exp(min(nats - math.log(alpha_p), 709.0))
    step = 2.0**-53  # twice as far each time: one ulp nearly always, more for a subnormal eps_base
    while alpha > 1.0 and ratio_bound(eps_base, alpha, horizon, **worlds) > eps_max:
        alpha *= 1.0 - step
        step *= 2.0
    return max(alpha, 1.0)


def _ratio(name: str, value: float) -> float:
    """The value as a float of at least 1, ``inf`` included, or a ValueError naming the argument."""
    if isinstance(value, float) and math.isinf(value) and value > 0.0:
        return math.inf
    return require_at_least(name, value, 1.0)
