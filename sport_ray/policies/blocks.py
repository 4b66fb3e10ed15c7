"""A policy's network over many observations, in the blocks that its numbers are defined by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sport_ray.policies.network import GaussianNetwork
from sport_ray.policies.sealed import Sealed

BLOCK = 64
"""Rows per forward pass. Matrix kernels sum in an order that depends on the shape, so every pass
has exactly this shape (the last one padded): a row then does not depend on its companions."""

IN_PLACE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu_,
    "tanh": torch.tanh_,
    "elu": functional.elu_,
    "silu": partial(functional.silu, inplace=True),
    "leaky_relu": functional.leaky_relu_,
    "sigmoid": torch.sigmoid_,
}
"""The activations of ``sport_ray.policies.network``: the same functions without a new tensor."""


class BlockPolicy(Sealed):
    """``network(block).parameters`` of block after block, to the bit, without the modules.

    network: float64, of float32 numbers; its weights must not change.
    """

    def __init__(self, network: GaussianNetwork) -> None:
        spec = network.spec
        self._network = network
        self._layers = [
            (module.weight.t(), module.bias)
            for module in network.body
            if isinstance(module, torch.nn.Linear)
        ]
        self._activate = IN_PLACE[spec.activation]
        self._size = spec.observation_size
        self._numbers = spec.family.num_parameters(spec.action_size)

    def parameters(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The distributions' numbers (n, P) at observations (n, O)."""
        count = len(observations)
        found = np.empty((count, self._numbers), dtype=np.float32)
        rows = np.zeros((BLOCK, self._size))
        block = torch.from_numpy(rows)
        # Of one call only: another thread may be in here, too.
        outputs = [block.new_empty((BLOCK, len(bias))) for _, bias in self._layers]
        with torch.inference_mode():
            for first in range(0, count, BLOCK):
                here = min(BLOCK, count - first)
                rows[:here] = observations[first : first + here]
                rows[here:] = 0.0
                x = self._network.normalized(block)
                for index, (weight, bias) in enumerate(self._layers):
                    if index:
                        self._activate(x)
                    x = torch.addmm(bias, x, weight, out=outputs[index])
                laws = self._network.of_outputs(x)
                found[first : first + here] = laws.parameters.numpy()[:here]
        return found
