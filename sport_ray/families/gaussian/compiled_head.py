"""The Gaussian head of many rows in one compiled pass."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sport_ray.compiled import njit
from sport_ray.families.family import Array
from sport_ray.families.head import Singles

_U = 2.0**-53


class CompiledHead:
    """A ``GaussianHead`` for rows of arrays; each row's numbers hang on nothing else.

    kind: 0 bounded, 1 clamped, 2 constant.

    What a head has of its own comes with each call: (m, D) for rows that m have equal shares of,
    (0, 0) where it has nothing.
    """

    def __init__(self, kind: int, low: float, high: float, action_size: int) -> None:
        self._head = kind, low, high, action_size

    def numbers(self, output: Singles, own: Singles) -> Singles:
        """Mean, then std (n, 2 D) of outputs (n, K); in float64, rounded."""
        found = np.empty((len(output), 2 * self._head[-1]), dtype=np.float32)
        _numbers(output, own, *self._head, found)
        return found

    def sure_numbers(
        self, output: Array, error: Array, own: Array
    ) -> tuple[Singles, NDArray[np.bool_]]:
        """As ``GaussianHead.of_rows``: the numbers of outputs (n, K), and whether they are sure.

        error: what each output may be off; another's may err as much the other way.
        """
        found = np.empty((len(output), 2 * self._head[-1]), dtype=np.float32)
        sure = np.empty(len(output), dtype=np.bool_)
        _sure_numbers(output, error, own, *self._head, found, sure)
        return found, sure


@njit(nogil=True, error_model="numpy")
def _numbers(output, own, kind, low, high, size, found):
    share = output.shape[0] // max(own.shape[0], 1)
    for r in range(output.shape[0]):
        for i in range(size):
            x = np.float64(own[r // share, i] if kind == 2 else output[r, size + i])
            if kind == 0:
                log_std = low + 0.5 * (high - low) * (math.tanh(x) + 1.0)
            else:
                log_std = min(max(x, low), high)
            found[r, i] = output[r, i]
            found[r, size + i] = math.exp(log_std)


@njit(nogil=True, error_model="numpy")
def _sure_numbers(output, error, own, kind, low, high, size, found, sure):
    half = 0.5 * (high - low)
    rounding = 16.0 * _U * (2.0 + abs(low) + abs(high))
    share = output.shape[0] // max(own.shape[0], 1)
    for r in range(output.shape[0]):
        same = True
        for i in range(size):
            off = 2.0 * (1.0 + 1e-6) * error[r, i]
            least, most = np.float32(output[r, i] - off), np.float32(output[r, i] + off)
            same &= least == most and math.isfinite(least)
            found[r, i] = least
            wide = rounding
            if kind == 2:
                log_std = min(max(own[r // share, i], low), high)
            else:
                raw, off = output[r, size + i], 2.0 * (1.0 + 1e-6) * error[r, size + i]
                if kind == 0:
                    log_std = low + half * (math.tanh(raw) + 1.0)
                    wide = half * off + (half + 1.0) * rounding
                else:
                    log_std = min(max(raw, low), high)
                    wide = off + rounding
            std = math.exp(log_std)
            least, most = np.float32(std * (1.0 - wide)), np.float32(std * (1.0 + wide))
            same &= least == most and wide < 1e-3 and math.isfinite(least)
            found[r, size + i] = least
        sure[r] = same
