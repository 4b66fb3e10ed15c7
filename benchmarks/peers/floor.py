"""How fast this core multiplies: what no engine can be faster than.

``gemm``: the rate of one large product in float32, operations per second. ``kernels``: the matrix
products and optimiser steps of a cohort's training alone, in torch, without anything around them,
env steps per second: what those products reach at a cell's sizes.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from benchmarks.peers.clock import Measured, repeated
from benchmarks.peers.settings import ACTOR, CRITIC, Setting

SIDE = 1_024


class Gemm:
    """Products of two square matrices, whatever the setting."""

    def __init__(self, setting: Setting, cells: int) -> None:
        self._left, self._right = torch.randn(2, SIDE, SIDE).unbind()
        self._out = torch.empty(SIDE, SIDE)

    def measure(self, seconds: float) -> Measured:
        """Floating-point operations."""
        return repeated(self._once, seconds)

    def _once(self) -> float:
        torch.mm(self._left, self._right, out=self._out)
        return 2.0 * SIDE**3


class Kernels:
    """The products of K cells' iterations, and fused Adam on their stacked weights."""

    def __init__(self, setting: Setting, cells: int) -> None:
        self._setting, self._cells = setting, cells
        self._networks = [
            [_layer(cells, *s) for s in itertools.pairwise(z)] for z in (ACTOR, CRITIC)
        ]
        self._base = [torch.randn(a, b) / a for a, b in itertools.pairwise(ACTOR)]
        weights = [weight for network in self._networks for weight in network]
        for weight in weights:
            weight.grad = torch.randn_like(weight)
        self._optimizer = torch.optim.Adam(weights, lr=1e-9, eps=1e-5, fused=True)
        self._minibatch = torch.randn(cells, setting.minibatch_size, ACTOR[0])
        self._row = torch.randn(cells, setting.num_envs, ACTOR[0])
        self._batch = torch.randn(cells, setting.train_batch_size, ACTOR[0])

    def measure(self, seconds: float) -> Measured:
        """Env steps of all cells."""
        with torch.no_grad():
            return repeated(self._iteration, seconds)

    def _iteration(self) -> float:
        setting = self._setting
        for _ in range(setting.fragment):
            x = self._row.flatten(0, 1)
            for weight in self._base:
                x = x @ weight
            _forward(self._networks[0], self._row)
        _forward(self._networks[1], self._batch)
        minibatches = -(-setting.train_batch_size * setting.num_epochs // setting.minibatch_size)
        for _ in range(minibatches):
            for network in self._networks:
                _backward(network, _forward(network, self._minibatch))
            self._optimizer.step()
        return float(self._cells * setting.train_batch_size)


def _layer(cells: int, inputs: int, outputs: int) -> Tensor:
    return torch.nn.Parameter(torch.randn(cells, inputs, outputs) / inputs)


def _forward(network: list[Tensor], x: Tensor) -> list[Tensor]:
    outputs = [x]
    for weight in network:
        outputs.append(torch.bmm(outputs[-1], weight))
    return outputs


def _backward(network: list[Tensor], outputs: list[Tensor]) -> None:
    gradient = outputs[-1]
    for index in range(len(network) - 1, -1, -1):
        torch.bmm(outputs[index].transpose(1, 2), gradient, out=network[index].grad)
        if index:
            gradient = torch.bmm(gradient, network[index].transpose(1, 2))
