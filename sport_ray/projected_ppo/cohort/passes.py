"""Forward and backward through a multi-layer perceptron, without a graph.

Written once for one network, rows (n, I), and for K at a time, rows (K, n, I). On a CPU networks
are taken one by one: what comes out for one then cannot hang on the others.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from sport_ray.projected_ppo.cohort.stack import Weights

_aten = torch.ops.aten
ACTIVATE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "silu": functional.silu,
    "leaky_relu": functional.leaky_relu,
    "sigmoid": torch.sigmoid,
}
"""As in sport_ray.policies.network, on tensors."""
_SLOPE: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "relu": lambda grad, before, after: _aten.threshold_backward(grad, after, 0),
    "tanh": lambda grad, before, after: _aten.tanh_backward(grad, after),
    "elu": lambda grad, before, after: _aten.elu_backward(grad, 1.0, 1.0, 1.0, True, after),
    "silu": lambda grad, before, after: _aten.silu_backward(grad, before),
    "leaky_relu": lambda grad, before, after: _aten.leaky_relu_backward(grad, after, 0.01, True),
    "sigmoid": lambda grad, before, after: _aten.sigmoid_backward(grad, after),
}
"""What autograd takes for each: (gradient, before the activation, after it)."""
Kept = list[tuple[Tensor, Tensor]]


def forward(weights: Weights, activation: str, rows: Tensor, kept: Kept | None = None) -> Tensor:
    """Outputs (…, n, J) for rows (…, n, I).

    kept: filled with what :func:`backward` needs, each layer's inputs, before and after the
        activation that made them.
    """
    product = torch.addmm if rows.ndim == 2 else torch.baddbmm
    before = after = rows
    last = len(weights.matrices) - 1
    for index, (matrix, bias) in enumerate(zip(weights.matrices, weights.biases, strict=True)):
        if kept is not None:
            kept.append((before, after))
        before = product(bias, after, matrix.mT)
        after = before if index == last else ACTIVATE[activation](before)
    return after


def backward(weights: Weights, activation: str, kept: Kept, grad: Tensor, out: Weights) -> None:
    """Write the weights' gradients into ``out``, for the gradient (…, n, J) of the outputs."""
    product = torch.mm if grad.ndim == 2 else torch.bmm
    for index in range(len(weights.matrices) - 1, -1, -1):
        before, after = kept[index]
        product(grad.mT, after, out=out.matrices[index])
        torch.sum(grad, -2, keepdim=grad.ndim > 2, out=out.biases[index])
        if index:
            grad = product(grad, weights.matrices[index])
            grad = _SLOPE[activation](grad, before, after)
