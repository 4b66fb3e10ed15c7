"""The distributions at some observations, fewer than a block: the block's numbers, to the bit.

As for one row (sport_ray.policies.row): the products are computed for just these rows, with a
bound on how far *any* order of summation may be from them, and rows whose float32 numbers could
hang on that are left to the block.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.compiled import njit
from sport_ray.policies.heads import ROW_ACTIVATIONS, fixed
from sport_ray.policies.network import GaussianNetwork
from sport_ray.policies.sealed import Sealed
from sport_ray.policies.threads import one_thread

_U = 2.0**-53
MOST = 40
"""Rows up to which this costs less than a block of 64."""


class FewRows(Sealed):
    """A policy with fixed weights, some observations at a time.

    network: float64, of float32 numbers.
    """

    def __init__(self, network: GaussianNetwork) -> None:
        spec = network.spec
        self._network = network
        own = {name: fixed(value.numpy()) for name, value in network.of_the_head().items()}
        self._head = spec.head.of_rows(own)
        self._relu = spec.activation == "relu"
        self._activate, self._steepest = ROW_ACTIVATIONS[spec.activation]
        self._layers = []
        for module in network.body:
            if not isinstance(module, torch.nn.Linear):
                continue
            # More than any sum's error: n products and additions and the bias (γ_n, Higham 3.1).
            gamma = (module.in_features + 8.0) * _U
            norms = fixed(np.linalg.norm(module.weight.numpy(), axis=1) * (1.0 + 1e-6))
            bias = fixed(np.abs(module.bias.numpy()))
            self._layers.append((module.weight.t(), module.bias, bias, norms, gamma))

    def parameters(
        self, observations: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The numbers (n, P) at observations (n, O), and of which rows they are the block's."""
        with torch.inference_mode(), one_thread(), np.errstate(all="ignore"):
            x = self._network.normalized(torch.from_numpy(observations).double())
            off = np.zeros(len(x))  # length of each row's error against exact arithmetic
            for index, (weight, bias, sizes, norms, gamma) in enumerate(self._layers):
                relu = self._relu and index < len(self._layers) - 1
                found = torch.addmm(bias, x, weight)
                error = np.empty(found.shape)
                _bound(x.numpy(), off, sizes, norms, gamma, relu, found.numpy(), error)
                if index < len(self._layers) - 1 and not relu:
                    square = np.square(found.numpy()).sum(axis=1)
                    own = 16.0 * _U * (math.sqrt(found.shape[1]) + np.sqrt(square))
                    off = self._steepest * off + own
                    found = torch.from_numpy(self._activate(found.numpy()))
                x = found
            error *= 2.0 * (1.0 + 1e-6)  # theirs may err the other way
            numbers, sure = self._head(x.numpy(), error)
            return numbers, sure & np.isfinite(numbers).all(axis=1)


@njit(nogil=True, error_model="numpy")
def _bound(x, off, bias, norms, gamma, relu, found, error):
    """What the outputs ``found`` (n, N) for x (n, K) may be off, into ``error``, after ReLU.

    ``off`` (n,): lengths of the errors of x, then of those of the outputs. As in ``layer.linear``.
    """
    for r in range(x.shape[0]):
        square = 0.0
        for j in range(x.shape[1]):
            square += x[r, j] * x[r, j]
        reach = gamma * (math.sqrt(square) + off[r]) + off[r]
        total = 0.0
        for i in range(found.shape[1]):
            value = found[r, i]
            wrong = norms[i] * reach + gamma * bias[i]
            if relu and value <= 0.0:
                if value < -2.0 * wrong:
                    wrong = 0.0  # 0 in any order
                found[r, i] = 0.0
            error[r, i] = wrong
            total += wrong * wrong
        off[r] = math.sqrt(total)
