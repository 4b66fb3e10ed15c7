"""Task policies as they act in training: one compiled pass whose sums have one order.

A product's last bits hang on the shape that a library computes it in, and on the processor. Here
every entry is summed in the order of its inputs, without fused operations: the same bits for one
observation whatever is beside it, for one network by itself or among many, on every machine.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.compiled import njit
from sport_ray.families import Distribution
from sport_ray.policies.network import Activation, PolicyNetwork, PolicySpec
from sport_ray.policies.observations import Normalizer
from sport_ray.projected_ppo.stack import Stack

_NOTHING = np.empty((0, 0), dtype=np.float32)
_ACTIVATIONS = get_args(Activation)


class Actors:
    """K networks of one architecture on a CPU.

    spec: what they have in common; stack: their weights, read at each call.
    """

    def __init__(self, spec: PolicySpec, stack: Stack) -> None:
        self.spec, self.stack = spec, stack
        self._normalize = None if spec.normalization is None else Normalizer(spec.normalization)
        self._flat = stack.flat.numpy()
        self._sizes = np.array(spec.layer_sizes)
        self._places = np.array(stack.places)
        self._head = spec.head.compiled()
        self._own = [
            slice(start, start + stack.own[name]) for name, start in stack.own_places.items()
        ]
        self._work = np.empty((3, max(spec.layer_sizes)), dtype=np.float32)
        self._places_of = np.empty(max(spec.layer_sizes), dtype=np.int64)

    def distribution(
        self, cells: NDArray[np.intp], observation: NDArray[np.float32]
    ) -> Distribution:
        """The laws of networks (A,) at observations (A, n, O): rows (A·n, …), as arrays.

        Summed in float32, the head in float64 and rounded.
        """
        if self._normalize is not None:
            observation = self._normalize(torch.from_numpy(observation)).numpy()
        count = observation.shape[0] * observation.shape[1]
        found = np.empty((count, self.spec.head.outputs), dtype=np.float32)
        _act(
            self._flat, cells, self._sizes, self._places,
            _ACTIVATIONS.index(self.spec.activation), observation, self._work, self._places_of,
            found,
        )  # fmt: skip
        own = self._flat[cells, self._own[0]] if self._own else _NOTHING
        return self.spec.family.from_numbers(self._head.numbers(found, own))


class OneActor:
    """A network as it acts, whenever its weights change."""

    def __init__(self, network: PolicyNetwork) -> None:
        self._network = network
        spec = network.spec
        self._actors = Actors(spec, Stack(1, spec.layer_sizes, spec.head.parameters))
        self._seen: list[tuple[int, int]] = []
        self._cell = np.zeros(1, dtype=np.intp)

    def __call__(self, observation: Tensor) -> Distribution:
        """The laws at observations (n, O), as tensors."""
        weights = [(one.data_ptr(), one._version) for one in self._network.parameters()]
        if weights != self._seen:
            network = self._network
            self._actors.stack.put(0, network.layers, network.of_the_head())
            self._seen = weights
        seen = observation.float()
        if self._network.convolution is not None:
            with torch.no_grad():
                seen = self._network.features(seen)
        rows = np.ascontiguousarray(seen.numpy())[None]
        found = self._actors.distribution(self._cell, rows)
        return found.to(torch.device("cpu"))


@njit(nogil=True, error_model="numpy")
def _act(flat, cells, sizes, places, activation, observation, work, used, found):
    """The last layer's outputs, (A · n, K)."""
    layers = sizes.shape[0] - 1
    copies = observation.shape[1]
    for a in range(cells.shape[0]):
        weights = flat[cells[a]]
        for c in range(copies):
            row = observation[a, c]
            for layer in range(layers):
                fan_in, fan_out = sizes[layer], sizes[layer + 1]
                start, bias = places[layer, 0], places[layer, 1]
                matrix = weights[start : start + fan_in * fan_out].reshape((fan_in, fan_out))
                out = work[layer % 2, :fan_out]
                out[:] = weights[bias : bias + fan_out]
                _add_product(row[:fan_in], matrix, out, work[2], used)
                if layer < layers - 1:
                    _activate(out, activation)
                row = out
            found[a * copies + c] = row


@njit(nogil=True, error_model="numpy")
def _add_product(row, matrix, out, values, used):
    """Add row · matrix, one input after another; those that are 0 add nothing."""
    count = 0
    for k in range(row.shape[0]):
        if row[k] != 0.0:
            used[count] = k
            values[count] = row[k]
            count += 1
    width = out.shape[0]
    k = 0
    while k + 4 <= count:
        x0, x1, x2, x3 = values[k], values[k + 1], values[k + 2], values[k + 3]
        m0, m1 = matrix[used[k]], matrix[used[k + 1]]
        m2, m3 = matrix[used[k + 2]], matrix[used[k + 3]]
        for j in range(width):
            out[j] = (((out[j] + x0 * m0[j]) + x1 * m1[j]) + x2 * m2[j]) + x3 * m3[j]
        k += 4
    while k < count:
        x0, m0 = values[k], matrix[used[k]]
        for j in range(width):
            out[j] += x0 * m0[j]
        k += 1


@njit(nogil=True, error_model="numpy")
def _activate(row, activation):
    """relu, tanh, elu, silu, leaky_relu, sigmoid; in float64 and rounded, but for exact ones."""
    for j in range(row.shape[0]):
        x = np.float64(row[j])
        if activation == 0:
            if not x > 0.0:
                row[j] = 0.0 * row[j]  # NaN stays NaN
        elif activation == 1:
            row[j] = math.tanh(x)
        elif activation == 2:
            if not x > 0.0:
                row[j] = math.expm1(x)
        elif activation == 3:
            row[j] = x / (1.0 + math.exp(-x))
        elif activation == 4:
            if not x > 0.0:
                row[j] = np.float32(0.01) * row[j]
        else:
            row[j] = 1.0 / (1.0 + math.exp(-x))
