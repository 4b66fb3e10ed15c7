"""A trajectory's density ratio as far as a cap allows: a martingale of mean 1 with a limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CAPS = (2.0, 3.0, 5.0, 10.0, 30.0, 100.0)
"""Largest values of the capped ratios that off-policy bounds use; fixed before any scenario."""
_SLACK = 1e-12  # more than what a step's ratio and its largest are rounded by


def follow(capped: Array, caps: Array, log_ratio: Array, largest: Array) -> Array:
    """The capped ratios after one more step.

        C_t = C_{t−1} (1 + λ_t (r_t − 1)),   λ_t = min(1, (c/C_{t−1} − 1) / (e^{m_t} − 1)),

    where r_t is the step's density ratio, whose mean under the base is 1, and m_t the log of the
    largest that it could have had. λ_t is known before the action is drawn, so the mean of C stays
    1; C never exceeds c; it is the ratio of the whole path until c is within reach.

    Args:
        capped: (n, k), before the step; 1 at the start of an episode.
        caps: (k,), c > 1.
        log_ratio: (n,), log r_t, nats; −inf allowed.
        largest: (n,), m_t, nats, ≥ log_ratio; inf where nothing limits it: C then stays.

    Returns:
        (n, k), in [0, c].

    Proof: docs/bounds.md, 'Off-policy'.
    """
    ratio = np.exp(np.minimum(log_ratio, largest))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        most = np.expm1(largest * (1.0 + _SLACK) + _SLACK)
        share = np.minimum((caps / capped - 1.0) / most[:, None], 1.0)
    share = np.where(np.isfinite(most)[:, None], share, 0.0)
    share[capped == 0.0] = 1.0  # a path that the policy never takes: its ratio stays 0
    gain = np.where(share > 0.0, share * (ratio[:, None] - 1.0), 0.0)
    return np.clip(capped * (1.0 + gain), 0.0, caps)
