"""A policy's network over many observations, in the blocks that its numbers are defined by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sport_ray.policies.heads import fixed
from sport_ray.policies.network import PolicyNetwork
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

    Of a policy with a convolution, what comes after it: its observations are the features.

    network: float64, of float32 numbers; its weights must not change.
    """

    def __init__(self, network: PolicyNetwork) -> None:
        spec = network.spec
        self._network = network
        self._layers = [
            (module.weight.t(), module.bias)
            for module in network.layers
            if isinstance(module, torch.nn.Linear)
        ]
        self._activate = IN_PLACE[spec.activation]
        own = {name: fixed(value.numpy()) for name, value in network.of_the_head().items()}
        self._head = spec.head.of_rows(own)

    def parameters(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The distributions' numbers (n, P) at observations (n, O)."""
        count, size = observations.shape
        blocks = -(-count // BLOCK)
        padded = np.zeros((blocks * BLOCK, size))
        padded[:count] = observations
        # Of one call only: another thread may be in here, too.
        *hidden, last = (len(bias) for _, bias in self._layers)
        between = [torch.empty((BLOCK, width), dtype=torch.float64) for width in hidden]
        outputs = torch.empty((blocks, BLOCK, last), dtype=torch.float64)
        with torch.inference_mode():
            seen = self._network.normalized(torch.from_numpy(padded))
            for x, found in zip(seen.reshape(blocks, BLOCK, size), outputs, strict=True):
                for (weight, bias), out in zip(self._layers[:-1], between, strict=True):
                    x = self._activate(torch.addmm(bias, x, weight, out=out))
                weight, bias = self._layers[-1]
                torch.addmm(bias, x, weight, out=found)
            return self._of_outputs(outputs)[:count]

    def _of_outputs(self, outputs: torch.Tensor) -> NDArray[np.float32]:
        """The head's numbers (b · 64, P) of the last layer's outputs (b, 64, K).

        In one go on arrays, whose tanh and exp may differ in the last bits from what they are
        defined by; where that could matter (one row in a million), the block itself decides.
        """
        values = outputs.numpy()
        with np.errstate(all="ignore"):  # what is not finite is refused by who asked
            numbers, sure = self._head(values, np.zeros_like(values))
        for index in np.flatnonzero(~sure.all(axis=1)):
            numbers[index] = self._network.of_outputs(outputs[index]).numbers.numpy()
        return numbers.reshape(-1, numbers.shape[-1])
