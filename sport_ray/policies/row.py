"""The distribution of a policy at one observation: the numbers of ``FrozenPolicy``, to the bit.

Rollouts pass observations through a network in blocks of 64 rows; for one observation that is
ten times the work. Both sums are float64 and differ in their last bits only, and the policy is
what they round to in float32. So one row is computed with a bound on how far *any* order of
summation may be from it, and where the rounding could depend on that (less than one observation in
a hundred), the block is computed after all.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.policies.blocks import BLOCK
from sport_ray.policies.heads import ROW_ACTIVATIONS, Normalize, fixed
from sport_ray.policies.layer import linear
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.sealed import Sealed
from sport_ray.policies.threads import one_thread

Array = NDArray[np.float64]
_U = 2.0**-53


class RowPolicy(Sealed):
    """A policy with fixed weights, one observation at a time.

    network: float64, of float32 numbers; it computes the blocks. rounds: observations to float32
    first; not where they are the outputs of other layers (of an image's, of a memory's).
    """

    def __init__(self, network: PolicyNetwork, *, rounds: bool = True) -> None:
        spec = network.spec
        self._inputs, self.action_size = spec.layer_sizes[0], spec.action_size
        self._rounds = rounds
        self._network = network
        self._normalize = Normalize(spec.normalization)
        own = {name: fixed(value.numpy()) for name, value in network.of_the_head().items()}
        self._head = spec.head.of_rows(own)
        self._relu = spec.activation == "relu"
        self._activate, self._steepest = ROW_ACTIVATIONS[spec.activation]
        self._layers = []
        for module in network.layers:
            if not isinstance(module, torch.nn.Linear):
                continue
            matrix, bias = fixed(module.weight.numpy()), fixed(module.bias.numpy())
            # More than any sum's error: n products and additions and the bias (γ_n, Higham 3.1).
            gamma = (matrix.shape[1] + 8.0) * _U
            norms = fixed(np.linalg.norm(matrix, axis=1) * (1.0 + 1e-6))
            # Half the memory, nothing lost: the weights are float32 numbers.
            single = matrix.astype(np.float32)
            single.setflags(write=False)
            self._layers.append((single, bias, norms, gamma))
        self._count = [0]

    @property
    def blocks(self) -> int:
        """How often a block was needed."""
        return self._count[0]

    def parameters(self, observation: NDArray[np.floating]) -> Array:
        """The distribution's numbers (P,) at an observation (O,): float32's in a float64 array.

        Raises:
            ArithmeticError: one that is not finite.
        """
        with np.errstate(all="ignore"):
            seen = np.asarray(observation, dtype=np.float64)
            if self._rounds:  # what comes of other layers is float64
                seen = observation.astype(np.float32, copy=False).astype(np.float64)
            both = self._row(self._normalize(seen))
            if both is None:
                both = self._block(seen)
        if not np.isfinite(both).all():
            raise ArithmeticError("the policy's distribution is not finite")
        return both.astype(np.float64)

    def _row(self, x: Array) -> NDArray[np.float32] | None:
        """The numbers, rounded, or None where the order of summation could matter."""
        off = 0.0  # length of the error of x against exact arithmetic
        last = len(self._layers) - 1
        for index, (matrix, bias, norms, gamma) in enumerate(self._layers):
            found, error = np.empty(len(bias)), np.empty(len(bias))
            relu = self._relu and index < last
            off = linear(matrix, bias, norms, gamma, x, off, relu, found, error)
            x = found
            if index < last and not relu:
                own = 16.0 * _U * (math.sqrt(len(x)) + math.sqrt(x.dot(x)))
                off = self._steepest * off + own
                x = self._activate(x)
        error *= 2.0 * (1.0 + 1e-6)  # theirs may err the other way
        numbers, sure = self._head(x, error)
        return numbers if sure else None

    def _block(self, x: Array) -> NDArray[np.float32]:
        """The numbers as FrozenPolicy computes them."""
        self._count[0] += 1
        rows = torch.zeros((BLOCK, self._inputs), dtype=torch.float64)
        rows[0] = torch.from_numpy(x)
        network = self._network
        with torch.no_grad(), one_thread():
            found = network.of_outputs(network.body(network.normalized(rows)))
        numbers: NDArray[np.float32] = found.numbers[0].numpy().astype(np.float32)
        return numbers
