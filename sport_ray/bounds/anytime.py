"""Anytime-valid bounds: look at the count after every scenario, and stop when you like."""

from __future__ import annotations

import math

from sport_ray.bounds.arguments import require_beta, require_counts
from sport_ray.lazy import Later

optimize = Later("scipy.optimize")
special = Later("scipy.special")

# Shape of the bets: u ~ Beta(shape, 1). A small shape favours runs without violations, a large
# one runs with many. Bound over fixed-N bound at beta = 1e-7, N = 10,000 (k = 0, 3, 10, 100):
# 0.1: 1.02, 1.17, 1.16, 1.09;  0.3: 1.06, 1.14, 1.13, 1.08;  0.5: 1.10, 1.13, 1.12, 1.07;
# the two-sided mixture over Beta(1/2, 1/2): 1.32, 1.29, 1.23, 1.11.
_SHAPE = 0.3
_FARTHEST = 700.0  # log-odds beyond which exp would overflow
_NORMAL = 2.0**-1022  # below it the incomplete beta function has lost digits
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def anytime_bound(num_scenarios: int, num_violations: int, beta: float) -> float:
    """Upper bound on a violation probability that holds at all numbers of scenarios at once.

    With probability at least 1 − β over an endless sequence of independent scenarios, the true
    violation probability p is at most the returned value at *every* N ≥ 1. So N may depend on the
    data in any way: stop when the bound is small enough, or go on because it is not. The smallest
    value over all looks so far is a bound as well.

    Risks may change: let p_i be the probability, given all that went before, that scenario i
    violates, whatever policy acted. Then at every N at once the returned value bounds the average
    (p_1 + … + p_N)/N, with the same confidence. The smallest value over past looks does *not*
    (docs/bounds.md, section 14).

    It is the root p of M = 1/β, which grows with p, where M is the wealth of a bet against p,

        M(p) = E_u [ u^k / (1 − p + p u)^N ],   u ~ Beta(0.3, 1),

    a nonnegative martingale of mean 1 where p is the truth, so that by Ville's inequality it ever
    reaches 1/β with probability at most β. Rounded outwards; 1 where nothing is promised.

    What it costs against ``scenario_bound`` at an N fixed beforehand (β = 1e-7):

    ========= =====  ===========  ==========  =====
    N         k      at fixed N   at any N    ratio
    ========= =====  ===========  ==========  =====
    10,000    0      0.001611     0.001706    1.06
    10,000    10     0.003752     0.004238    1.13
    100,000   100    0.001621     0.001745    1.08
    1,000,000 1,000  0.001174     0.001213    1.03
    ========= =====  ===========  ==========  =====

    Args:
        num_scenarios: N ≥ 1. The first N of the planned sequence, each run to its end: those that
            happened to finish first are not a sample.
        num_violations: k, 0 ≤ k ≤ N, among these N.
        beta: probability that the bound ever fails, in (0, 1).

    Raises:
        ValueError: an argument out of range, by name.

    Source: Ville (1939); mixtures as in Robbins (1970) and Howard et al. (arXiv 1810.08240).

    >>> round(anytime_bound(10_000, 0, 1e-7), 6)
    0.001706
    """
    n, k, target = _checked(num_scenarios, num_violations, beta)
    if k == n:
        return 1.0
    z = _root(n, k, target)
    step = 2.0**-52
    while z < _FARTHEST:  # outwards, twice as far each time, until the check holds
        bound = _expit(z)
        if bound >= 1.0:
            break
        if _log_wealth(n, k, bound, 1.0 - bound) >= target:
            return bound
        z += step * max(1.0, abs(z))
        step *= 2.0
    return 1.0


def anytime_lower_bound(num_scenarios: int, num_violations: int, beta: float) -> float:
    """Lower bound on a violation probability that holds at all numbers of scenarios at once.

    1 − ``anytime_bound`` of the probability of *no* violation. With probability at least 1 − β
    the true violation probability is at least the returned value at every N ≥ 1. It tells when to
    give up: once it exceeds the target, more scenarios will not bring the bound below it, unless
    one of the two has failed (at most β each).

    Args:
        num_scenarios, num_violations, beta: as for ``anytime_bound``.

    Raises:
        ValueError: an argument out of range, by name.

    >>> round(anytime_lower_bound(1_000, 50, 1e-7), 4)
    0.0186
    """
    n, k, target = _checked(num_scenarios, num_violations, beta)
    if k == 0:
        return 0.0
    z = _root(n, n - k, target)
    step = 2.0**-52
    while z < _FARTHEST:
        bound = _expit(-z)
        if _log_wealth(n, n - k, 1.0 - bound, bound) >= target:
            return bound
        z += step * max(1.0, abs(z))
        step *= 2.0
    return 0.0


def _checked(num_scenarios: int, num_violations: int, beta: float) -> tuple[int, int, float]:
    """N, k and the log wealth at which p is given up: log(1/β) and the error of computing it."""
    n, k = require_counts(num_scenarios, num_violations)
    # A + C = N terms, each a logarithm of a quotient that is off by a few units in its last place.
    error = 1e-9 + 2.0**-48 * n
    return n, k, error - math.log(require_beta("beta", beta))


def _log_wealth(n: int, k: int, p: float, q: float) -> float:
    """Log M at p = 1 − q, for k < n, with the integral over u done; −∞ where it cannot be had.

    M = a B(A, C) I_p(A, C) / (p^A q^C), A = k + a, C = n − k − a, from v = p u / (1 − p + p u) in
    place of u. Written around n KL(A/n ‖ p) and Stirling's series, because log B alone is larger
    than the result by ten orders of magnitude.
    """
    a, c = k + _SHAPE, n - k - _SHAPE
    inside = special.betainc(a, c, p) if p <= 0.5 else special.betaincc(c, a, q)
    if not inside >= _NORMAL or q <= 0.0:  # so far below k / N that no bet has gained
        return -math.inf
    return (
        math.log(_SHAPE)
        + _HALF_LOG_2PI
        + 0.5 * (math.log(n) - math.log(a) - math.log(c))
        + (_stirling(a) + _stirling(c) - _stirling(n))
        + (a * math.log(a / (n * p)) + c * math.log(c / (n * q)))
        + math.log(inside)
    )


def _stirling(x: float) -> float:
    """Log Γ(x) − (x − ½) log x + x − ½ log 2π, to 1e-12."""
    if x < 16.0:
        return math.lgamma(x) - (x - 0.5) * math.log(x) + x - _HALF_LOG_2PI
    y = 1.0 / (x * x)
    return (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y / 1680.0))) / x


def _root(n: int, k: int, target: float) -> float:
    """The log-odds of p where log M = target, to rounding; M grows with p."""

    def excess(z: float) -> float:
        return _log_wealth(n, k, _expit(z), _expit(-z)) - target

    # Below both of these M is at most 1/β: M ≤ (1−p)^{−N}, and at p = k/N no bet has gained.
    low = _log_odds_without_violations(target / n)
    if k > 0:
        low = max(low, math.log(k) - math.log(n - k))
    step = 0.1
    high = low
    while excess(high) < 0.0:
        low, high = high, high + step
        step *= 2.0
        if high > _FARTHEST:
            return high  # not found: the caller returns the trivial bound
    if high == low:
        return high
    return float(optimize.brentq(excess, low, high, xtol=1e-14))


def _log_odds_without_violations(nats: float) -> float:
    """The log-odds of p with (1−p)^{−1} = e^nats, at most _FARTHEST."""
    return min(nats + math.log(-math.expm1(-nats)), _FARTHEST)


def _expit(z: float) -> float:
    """1 / (1 + e^{−z}) for z within ±_FARTHEST, to a few units in the last place."""
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0.0 else math.exp(z) / (1.0 + math.exp(z))
