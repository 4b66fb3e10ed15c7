"""The pathwise bound: no trajectory may become more than e^B times as likely as it was."""

from __future__ import annotations

import math
from functools import partial

from sport_ray.bounds.arguments import (
    largest_within,
    require_at_least,
    require_probability,
    require_target,
)

_ULP = 2.0**-52


def pathwise_bound(eps_base: float, log_budget: float) -> float:
    """Prior bound ε_base · e^B for policies whose log ratio over a whole path is at most B.

    Q(viol) = E_P[L · 1{viol}] with L = Π_t π_t(a_t|s_t)/π_base(a_t|s_t), and so is at most
    e^B · P(viol) if log L ≤ B on every path that violates; the policy may depend on the whole
    history, on what is left of B too. The paper's constant ratio α is the case B = T log α. Not
    clipped: a value of 1 or more means that nothing is promised. Rounded outwards; B = 0 gives
    eps_base itself.

    Args:
        eps_base: upper bound on the base policy's violation probability, in [0, 1].
        log_budget: B ≥ 0, nats. Whoever charges it must round each charge up.

    Raises:
        ValueError: an argument out of range, by name.

    Proof: docs/bounds.md, 'Pathwise budget'. Budgets on realised privacy loss are its analogue in
    differential privacy (arXiv 1605.08294).

    >>> round(pathwise_bound(0.00017, 4.0), 4)
    0.0093
    """
    eps_base = require_probability("eps_base", eps_base)
    log_budget = require_at_least("log_budget", log_budget, 0.0)
    if eps_base == 0.0 or log_budget == 0.0:
        return eps_base
    try:
        factor = math.exp(log_budget)
    except OverflowError:
        return math.inf
    return math.nextafter(eps_base * factor * (1.0 + 4.0 * _ULP), math.inf)


def pathwise_log_budget(eps_base: float, eps_max: float) -> float:
    """Largest log budget whose bound is at most ε_max: B = log(ε_max / ε_base), in nats.

    Rounded so that ``pathwise_bound(eps_base, pathwise_log_budget(...)) <= eps_max`` as evaluated.

    Args:
        eps_base: upper bound on the base policy's violation probability, in (0, 1).
        eps_max: largest acceptable violation probability, in (0, 1), at least eps_base.

    Raises:
        ValueError: an argument out of range, by name; or eps_max < eps_base, for which no budget
            exists.

    >>> round(pathwise_log_budget(0.00017, 0.01), 4)
    4.0745
    """
    eps_base, eps_max = require_target(eps_base, eps_max)
    budget = math.log(eps_max) - math.log(eps_base)
    return largest_within(partial(pathwise_bound, eps_base), budget, _ULP, eps_max)
