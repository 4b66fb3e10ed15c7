"""PPO's surrogate of a Gaussian policy, with its gradient at the outputs of the last layer."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit
from sport_ray.families.gaussian.head import KINDS, GaussianHead

Singles = NDArray[np.float32]


def surrogate_gradient(
    head: GaussianHead, output: Singles, own: Singles,
    actions: Singles, logp: Singles, advantages: Singles,
    clip: float, entropy_coeff: float, grad: Singles, grad_own: Singles,
) -> tuple[float, float, float]:  # fmt: skip
    """The loss of rows; writes its gradient at ``output`` (n, K) and ``own``, (D,) or (0,).

        mean over rows of −min(A r, A clip(r, 1 ± ε)) − c·entropy,   r = π(a|s)/π_old(a|s)

    with π the head's Gaussian, A the advantages (n,) and log π_old = ``logp`` (n,), nats. In
    float64 from the float32 numbers, one row after another.

    Returns:
        Means over rows: −surrogate, entropy (nats), the share of ratios outside 1 ± ε.

    Source: Schulman et al. 2017 (arXiv 1707.06347), eqs. 7 and 9.
    """
    kind = KINDS.index(head.kind)
    found: tuple[float, float, float] = _rows(
        output, own, kind, head.low, head.high, actions, logp, advantages,
        clip, entropy_coeff, grad, grad_own,
    )  # fmt: skip
    return found


@njit(nogil=True, error_model="numpy")
def _rows(output, own, kind, low, high, actions, logp, advantages, clip, coeff, grad, grad_own):
    rows, size = actions.shape
    half = 0.5 * (high - low)
    width = output.shape[1]
    mean_surrogate = 0.0
    mean_entropy = 0.0
    outside = 0
    own_total = np.zeros(size)
    log_std = np.empty(size)
    slope = np.empty(size)
    z = np.empty(size)
    for k in range(rows):
        now = 0.0
        entropy = 0.0
        for i in range(size):
            raw = np.float64(own[i]) if kind == 2 else np.float64(output[k, size + i])
            if kind == 0:
                t = math.tanh(raw)
                log_std[i] = low + half * (t + 1.0)
                slope[i] = half * (1.0 - t * t)
            else:
                log_std[i] = min(max(raw, low), high)
                slope[i] = 1.0 if low <= raw <= high else 0.0
            z[i] = (np.float64(actions[k, i]) - np.float64(output[k, i])) / math.exp(log_std[i])
            now += -0.5 * z[i] * z[i] - log_std[i] - 0.9189385332046727
            entropy += 1.4189385332046727 + log_std[i]
        ratio = math.exp(now - np.float64(logp[k]))
        a = np.float64(advantages[k])
        limited = min(max(ratio, 1.0 - clip), 1.0 + clip)
        mean_surrogate += min(a * ratio, a * limited)
        mean_entropy += entropy
        if abs(ratio - 1.0) > clip:
            outside += 1
        # The clipped branch has no slope; where both are the same, the other one has all of it.
        by_logp = -a * ratio / rows if a * ratio <= a * limited else 0.0
        for i in range(size):
            grad[k, i] = by_logp * z[i] / math.exp(log_std[i])
            by_std = (by_logp * (z[i] * z[i] - 1.0) - coeff / rows) * slope[i]
            if kind == 2:
                own_total[i] += by_std
            else:
                grad[k, size + i] = by_std
        for j in range(size if kind == 2 else 2 * size, width):
            grad[k, j] = 0.0
    for i in range(grad_own.shape[0]):
        grad_own[i] = own_total[i]
    return -mean_surrogate / rows, mean_entropy / rows, outside / rows
