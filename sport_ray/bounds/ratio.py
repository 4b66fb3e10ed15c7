"""The prior bound of SPoRt: what a bounded density ratio does to a violation probability."""

from __future__ import annotations

import math

from sport_ray.bounds.arguments import (
    require_integer,
    require_open_unit,
    require_probability,
    require_real,
)


def ratio_bound(eps_base: float, alpha: float, horizon: int) -> float:
    """Prior bound ε_base · α^T on the violation probability of a ratio-bounded policy.

    Holds for every policy with π(a|s)/π_base(a|s) ≤ α for all a and s, over at most T steps, in
    the environment and from the initial law for which ε_base holds; it needs no dynamics and no
    form of the property. Not clipped: a value of 1 or more means that nothing is promised, and
    ``inf`` that the product overflows.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in [0, 1].
        alpha: largest density ratio, ≥ 1.
        horizon: T ≥ 1, steps.

    Raises:
        ValueError: an argument out of range, by name.

    Source: arXiv 2504.06386, Theorem on property violation under modified policies.

    >>> round(ratio_bound(0.00017, 1.5, 10), 4)
    0.0098
    """
    eps_base = require_probability("eps_base", eps_base)
    alpha = require_real("alpha", alpha)
    if alpha < 1.0:
        raise ValueError(f"alpha must be at least 1, got {alpha!r}")
    horizon = require_integer("horizon", horizon, 1)
    try:
        return eps_base * alpha**horizon
    except OverflowError:
        return math.inf if eps_base > 0.0 else 0.0


def max_alpha(eps_base: float, eps_max: float, horizon: int) -> float:
    """Largest α whose prior bound is at most ε_max: α = (ε_max / ε_base)^{1/T}.

    Rounded so that ``ratio_bound(eps_base, max_alpha(...), horizon) <= eps_max`` as evaluated.

    Args:
        eps_base: upper bound on the base policy's violation probability over T steps, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.
        horizon: T ≥ 1, steps.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base, for which no α ≥ 1
            exists.

    Source: arXiv 2504.06386, the prior bound solved for α.

    >>> round(max_alpha(0.00017, 0.01, 10), 3)
    1.503
    """
    eps_base = require_open_unit("eps_base", eps_base)
    eps_max = require_open_unit("eps_max", eps_max)
    horizon = require_integer("horizon", horizon, 1)
    if eps_max < eps_base:
        raise ValueError(
            f"eps_max must be at least eps_base ({eps_base!r}), got {eps_max!r}: "
            "even the base policy is not certified at that level"
        )
    # Below the logarithm of the largest float: a subnormal eps_base must not overflow.
    alpha = math.exp(min((math.log(eps_max) - math.log(eps_base)) / horizon, 709.0))
    step = 2.0**-53  # twice as far each time: one ulp nearly always, more for a subnormal eps_base
    while alpha > 1.0 and ratio_bound(eps_base, alpha, horizon) > eps_max:
        alpha *= 1.0 - step
        step *= 2.0
    return max(alpha, 1.0)
