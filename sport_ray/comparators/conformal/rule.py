"""How far a list of policies may go, by conformal risk control on scenarios of the base.

Both rules go through a list of policies of rising limits, fixed without the scenarios, and stop at
the first that fails. Their promise is an expectation: over the scenarios *and* the next episode,
the policy that is chosen violates with probability at most ε_max. Given the scenarios at hand it
may violate more often: that is not this package's promise, which keeps a confidence
(``bounds.off_policy_bound``), and the two are never to be mixed up.

``conformal_choice`` is the paper's: risk weighted by the policy's likelihood ratios, divided by the
sum of the weights, and one more episode, of the largest weight, taken as a violation.
``controlled_choice`` is ours: without the division, with the largest weight there can be, and the
losses made monotone along the list. It has a proof for any list (docs/bounds.md, section 13).

Sources: Prinster et al., Conformal Policy Control, arXiv 2603.02196; Angelopoulos et al., Conformal
Risk Control, arXiv 2208.02814.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.bounds.arguments import require_real

Array = NDArray[np.float64]
_ROUNDING = 1e-9
"""Relative error of sums of exponentials, and more."""


class OnScenarios(NamedTuple):
    """One policy of a list on the scenarios that all its policies share.

    log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t) of each, nats; −inf allowed. violated:
    (n,), 0 or 1, the same for all policies of a list. log_ratio_limit: nats, what no episode of
    the policy exceeds; None where there is none.
    """

    log_ratios: ArrayLike
    violated: ArrayLike
    log_ratio_limit: float | None = None


def weighted_risk(
    log_ratios: ArrayLike, violated: ArrayLike, log_test_weight: float | None = None
) -> float:
    """(Σ L_i V_i + w) / (Σ L_i + w): the risk by weights L, one more episode being a violation.

    log_test_weight: log w, nats, the largest weight that the next episode can have. None: the
    largest of the L_i, which says nothing of what was never seen.

    Raises:
        ValueError: another shape, NaN or +inf, or verdicts that are not 0 or 1.

    Source: arXiv 2603.02196.

    >>> weighted_risk([0.0] * 9, [1] + [0] * 8)
    0.2
    """
    logs, flags = _checked(log_ratios, violated)
    largest = float(logs.max()) if log_test_weight is None else float(log_test_weight)
    if math.isnan(largest) or largest == math.inf:
        raise ValueError(f"log_test_weight must be a number, got {log_test_weight!r}")
    scale = max(largest, float(logs.max()))
    if scale == -math.inf:
        return 1.0
    weights, more = np.exp(logs - scale), math.exp(largest - scale)
    return float((weights[flags].sum() + more) / (weights.sum() + more))


def conformal_choice(policies: Iterable[OnScenarios], eps_max: float) -> int:
    """How many policies pass by the paper's rule, in their order, up to the first that fails.

    Policy j passes where its ``weighted_risk`` is at most ε_max, the next episode's weight being
    its limit. The promise is the paper's, on the mean over scenarios and the next episode. It is
    not proved here for lists: dividing by the sum of weights that a policy was chosen by leaves an
    excess that falls with their number. A policy without a limit is taken at the largest weight
    seen, and then a rare kind of violation may void the promise altogether.

    Returns:
        j, 0 to the length of the list: the first j policies pass.

    Raises:
        ValueError: see ``weighted_risk``; or ε_max out of range.

    Source: arXiv 2603.02196.
    """
    level, passed = _level(eps_max), 0
    for one in policies:
        if weighted_risk(one.log_ratios, one.violated, one.log_ratio_limit) > level:
            break
        passed += 1
    return passed


def controlled_mean(losses: ArrayLike, largest: float) -> float:
    """(Σ_i ℓ_i + A) / (n + 1), rounded up: losses with one more, the largest that there can be.

    losses: (n,), nonnegative; largest: A.

    Raises:
        ValueError: losses below 0 or above A, or not numbers.
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or values.min() < 0.0:
        raise ValueError("losses must be finite numbers of at least 0, shape (n,)")
    if not math.isfinite(largest) or values.max() > largest * (1.0 + _ROUNDING):
        raise ValueError(f"largest must be a number that no loss exceeds, got {largest!r}")
    return (math.fsum(values.tolist()) + largest) / (len(values) + 1) * (1.0 + _ROUNDING)


def controlled_choice(policies: Iterable[OnScenarios], eps_max: float) -> int:
    """How many policies pass by the rule with a proof, in their order, up to the first that fails.

    Policy j passes where (Σ_i max_{k ≤ j} L_ik V_i + max_{k ≤ j} A_k) / (n + 1) ≤ ε_max, with A_k
    the largest ratio of any episode under policy k. Then the mean, over n independent scenarios of
    the base and the next episode, of 'the last policy that passed violates' is at most ε_max.
    Where none passes nothing is promised but the base's own risk.

    Returns:
        j, 0 to the length of the list: the first j policies pass.

    Raises:
        ValueError: a policy without a limit or above it; see ``weighted_risk``.

    Proof: docs/bounds.md, section 13. After: Angelopoulos et al., arXiv 2208.02814.
    """
    level, passed = _level(eps_max), 0
    worst: Array | None = None
    largest = 0.0
    for one in policies:
        logs, flags = _checked(one.log_ratios, one.violated)
        if one.log_ratio_limit is None or not one.log_ratio_limit < 700.0:
            raise ValueError("log_ratio_limit is missing: a policy needs a largest ratio")
        limit = require_real("log_ratio_limit", one.log_ratio_limit)
        if logs.max() > limit + _ROUNDING * (1.0 + abs(limit)):
            raise ValueError(f"log_ratios must be at most {limit!r}, got {logs.max()!r}")
        losses = np.where(flags, np.exp(np.minimum(logs, limit)), 0.0)
        worst = losses if worst is None else np.maximum(worst, losses)
        largest = max(largest, math.exp(limit))
        if controlled_mean(worst, largest) > level:
            break
        passed += 1
    return passed


def _level(eps_max: float) -> float:
    level = require_real("eps_max", eps_max)
    if not 0.0 < level <= 1.0:
        raise ValueError(f"eps_max must lie in (0, 1], got {eps_max!r}")
    return level


def _checked(log_ratios: ArrayLike, violated: ArrayLike) -> tuple[Array, NDArray[np.bool_]]:
    logs, flags = np.asarray(log_ratios, dtype=np.float64), np.asarray(violated)
    if logs.ndim != 1 or not len(logs) or logs.shape != flags.shape:
        raise ValueError("log_ratios and violated must have one shape (n,), n at least 1")
    if np.isnan(logs).any() or (logs == math.inf).any():
        raise ValueError("log_ratios must be numbers or −inf")
    if not np.isin(flags, (0, 1)).all():
        raise ValueError("violated must hold 0 or 1 only")
    return logs, flags.astype(np.bool_)
