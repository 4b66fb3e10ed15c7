"""From laws of the return to log weights: the best mean, or the base's best share of episodes."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit

Array = NDArray[np.float64]
SMALLEST_SHARE = 1e-6
"""Below it a share is all the same: no law is known that far, and inf has to mean something."""


@njit(nogil=True, error_model="numpy")
def _quantile(laws, shares, sharpness, out):
    for n in range(laws.shape[0]):
        law = laws[n]
        count, outputs = law.shape
        reached = np.zeros(count)
        mean = 0.0
        for k in range(outputs):
            more = 0.0
            for j in range(count):
                more += law[j, k]
            more /= count
            # The last class takes what rounding left of 1.
            if mean + more >= shares[n] or k == outputs - 1:
                part = min((shares[n] - mean) / more, 1.0) if more > 0.0 else 1.0
                for j in range(count):
                    weight = reached[j] + max(part, 0.0) * law[j, k]
                    out[n, j] = sharpness * math.log(max(weight, 1e-300))
                break
            mean += more
            for j in range(count):
                reached[j] += law[j, k]


def quantile(laws: Array, limits: Array, sharpness: float = 1.0) -> Array:
    """Log weights (n, M) that make the path follow the base's best e^−limit share of episodes.

    With F_j(z) = P(return ≥ z | candidate j, then the base), z* is where mean_j F_j(z*) = e^−limit
    (between two atoms: interpolated) and w_j = F_j(z*)^sharpness. For sharpness 1, M p_j =
    e^limit F_j(z*) keeps the limit by itself and leaves e^−limit' = F_J(z*), so the next step aims
    at the same z*: with the exact laws, L = A on the base's best 1/A of episodes and 0 elsewhere,
    which no policy with path ratio ≤ A can beat. More leans harder on a learned law, with what
    is left to spare. For limits that are all that is left of a budget.

    laws: (n, M, atoms + 1), best first. limits: (n,), nats, ≥ 0; inf means as large as it gets.
    """
    shares = np.maximum(np.exp(-np.maximum(limits, 0.0)), SMALLEST_SHARE)
    out = np.empty(laws.shape[:2])
    _quantile(laws, shares, float(sharpness), out)
    return out


@njit(nogil=True, error_model="numpy")
def _greedy(laws, values, limits, floor, out):
    for n in range(laws.shape[0]):
        law = laws[n]
        count, outputs = law.shape
        means = np.empty(count)
        for j in range(count):
            total = 0.0
            for k in range(outputs):
                total += law[j, k] * values[k]
            means[j] = -total
        order = np.argsort(means, kind="mergesort")
        cap = math.exp(min(limits[n], 700.0))
        left = count * (1.0 - floor)
        for rank in range(count):
            more = min(cap - floor, left)
            given = floor + more
            out[n, order[rank]] = math.log(given) if given > 0.0 else -np.inf
            left = max(left - more, 0.0)


def greedy(laws: Array, values: Array, limits: Array, floor: float = 0.0) -> Array:
    """Log weights (n, M) that fill the candidates of the best mean up to the limit, in order.

    M w_j = e^limit for the best, what is left of M for the next one, the floor beyond: the largest
    mean value of one step within the ratios. For a constant ratio, where nothing is kept for later.

    laws: (n, M, atoms + 1). values: (atoms + 1,). limits: (n,), nats, ≥ 0.
    floor: κ in [0, 1], the least that M w_j may be.
    """
    out = np.empty(laws.shape[:2])
    caps = np.maximum(limits, 0.0)
    _greedy(laws, np.asarray(values, dtype=np.float64), caps, float(floor), out)
    return out
