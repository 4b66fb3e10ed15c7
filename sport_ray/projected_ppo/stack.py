"""The weights of K networks of one architecture as one tensor, a row for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

ALIGNED = 16
"""Numbers (64 bytes) that each matrix starts at a multiple of: a product may hang on it."""


class Weights(NamedTuple):
    """Views of the weights of one network, or of all K with a leading dimension.

    matrices: (in, out) or (K, in, out), biases: (out,) or (K, 1, out), own: (D,) or (K, 1, D);
    flat: (P,) or (K, P).
    """

    matrices: list[Tensor]
    biases: list[Tensor]
    own: dict[str, Tensor]
    flat: Tensor
    turned: list[Tensor]
    """The matrices, transposed: as ``torch.nn.Linear`` has them."""


class Stack:
    """K networks of linear layers, perhaps with parameters of their head, float32.

    Args:
        count: K.
        sizes: inputs, units of the hidden layers, outputs.
        own: sizes of the head's own parameters by name.
        device: where they are.
    """

    def __init__(
        self,
        count: int,
        sizes: Sequence[int],
        own: Mapping[str, int] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sizes = tuple(sizes)
        self.own = dict(own or {})
        self.places: list[tuple[int, int]] = []  # of each matrix and each bias
        end = 0
        for fan_in, fan_out in itertools.pairwise(self.sizes):
            bias = _aligned(end + fan_in * fan_out)
            self.places.append((end, bias))
            end = _aligned(bias + fan_out)
        self.own_places: dict[str, int] = {}
        for name, size in self.own.items():
            self.own_places[name] = end
            end = _aligned(end + size)
        self.flat = torch.zeros((count, end), dtype=torch.float32, device=device)
        self.whole = self._views()
        """Views of all K."""
        self.each = [self._one(cell) for cell in range(count)]
        """Views of each."""

    def __len__(self) -> int:
        return len(self.flat)

    def _views(self) -> Weights:
        matrices, biases = [], []
        layers = itertools.pairwise(self.sizes)
        for (fan_in, fan_out), (start, bias) in zip(layers, self.places, strict=True):
            whole = self.flat[:, start : start + fan_in * fan_out]
            matrices.append(whole.unflatten(1, (fan_in, fan_out)))
            biases.append(self.flat[:, None, bias : bias + fan_out])
        own = {
            name: self.flat[:, None, self.own_places[name] : self.own_places[name] + size]
            for name, size in self.own.items()
        }
        return Weights(matrices, biases, own, self.flat, [one.mT for one in matrices])

    def _one(self, cell: int) -> Weights:
        matrices = [matrix[cell] for matrix in self.whole.matrices]
        return Weights(
            matrices,
            [bias[cell, 0] for bias in self.whole.biases],
            {name: value[cell, 0] for name, value in self.whole.own.items()},
            self.flat[cell],
            [one.mT for one in matrices],
        )

    def put(self, cell: int, body: nn.Sequential, own: Mapping[str, Tensor] | None = None) -> None:
        """Copy a network into its row."""
        with torch.no_grad():
            for place, value in self._pairs(cell, body, own or {}):
                place.copy_(value)

    def take(self, cell: int, body: nn.Sequential, own: Mapping[str, Tensor] | None = None) -> None:
        """Copy a row into a network: the inverse of :meth:`put`."""
        with torch.no_grad():
            for place, value in self._pairs(cell, body, own or {}):
                value.copy_(place)

    def _pairs(
        self, cell: int, body: nn.Sequential, own: Mapping[str, Tensor]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Each place in a row, and the network's tensor that belongs there."""
        places = self.each[cell]
        layers = [module for module in body if isinstance(module, nn.Linear)]
        yield from zip(places.turned, (layer.weight for layer in layers), strict=True)
        yield from zip(places.biases, (layer.bias for layer in layers), strict=True)
        for name, place in places.own.items():
            yield place, own[name]


def _aligned(place: int) -> int:
    return -(-place // ALIGNED) * ALIGNED
