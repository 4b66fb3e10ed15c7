"""Forward and backward through a multi-layer perceptron, without a graph.

Written once for one network, rows (n, I), and for K at a time, rows (K, n, I). On a CPU networks
are taken one by one: what comes out for one then cannot hang on the others.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from sport_ray.compiled import njit
from sport_ray.projected_ppo.stack import Weights

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


def outputs(weights: Weights, activation: str, rows: Tensor) -> Tensor:
    """Outputs (…, n, J) for rows (…, n, I)."""
    product = torch.addmm if rows.ndim == 2 else torch.baddbmm
    *hidden, (matrix, bias) = zip(weights.matrices, weights.biases, strict=True)
    for inner, shift in hidden:
        rows = ACTIVATE[activation](product(shift, rows, inner))
    return product(bias, rows, matrix)


class Passes:
    """Workspace for both passes of rows of one shape; networks of the same sizes may take turns.

    Args:
        sizes: inputs, units of the hidden layers, outputs.
        activation: by name.
        rows: (n,) or (K, n).
        device: where the networks are.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str,
        rows: tuple[int, ...],
        device: torch.device,
    ) -> None:
        def room(width: int) -> Tensor:
            return torch.empty((*rows, width), dtype=torch.float32, device=device)

        self._activation = activation
        self._before = [room(width) for width in sizes[1:]]
        in_place = activation == "relu"
        self._after = self._before if in_place else [room(width) for width in sizes[1:-1]]
        self._grads = [room(width) for width in sizes[1:-1]]
        self.outputs = self._before[-1]
        self.grad = room(sizes[-1])
        """Where the outputs' gradient is put before :meth:`backward`."""
        one = len(rows) == 1
        self._linear = torch.addmm if one else torch.baddbmm
        self._product = torch.mm if one else torch.bmm
        self._fused = in_place and one and device.type == "cpu"
        if self._fused:  # arrays of the same memory
            self._arrays = [
                (grad.numpy(), after.numpy())
                for grad, after in zip(self._grads, self._after, strict=False)
            ]

    def forward(self, weights: Weights, rows: Tensor) -> Tensor:
        """Outputs (…, n, J) for rows (…, n, I); they stand until the next call."""
        self._rows = rows
        last = len(self._before) - 1
        for index, before in enumerate(self._before):
            self._linear(weights.biases[index], rows, weights.matrices[index], out=before)
            if index == last:
                break
            if self._after is self._before:
                rows = before.relu_()
            else:
                rows = self._after[index].copy_(ACTIVATE[self._activation](before))
        return self.outputs

    def backward(self, weights: Weights, out: Weights) -> None:
        """Write the weights' gradients, for the outputs' in :attr:`grad` of the last forward."""
        grad = self.grad
        _add_rows(grad, out.biases[-1])
        for index in range(len(self._before) - 1, 0, -1):
            self._product(self._after[index - 1].mT, grad, out=out.matrices[index])
            found = self._product(grad, weights.turned[index], out=self._grads[index - 1])
            grad = self._through(index - 1, found, out.biases[index - 1])
        self._product(self._rows.mT, grad, out=out.matrices[0])

    def _through(self, layer: int, grad: Tensor, bias: Tensor) -> Tensor:
        """The gradient before a layer's activation, in place; the bias's on the way."""
        if self._fused:
            _through_relu(*self._arrays[layer], bias.numpy())
            return grad
        slope = _SLOPE[self._activation]
        grad.copy_(slope(grad, self._before[layer], self._after[layer]))
        _add_rows(grad, bias)
        return grad


def _add_rows(grad: Tensor, bias: Tensor) -> None:
    torch.sum(grad, -2, keepdim=grad.ndim > 2, out=bias)


@njit(nogil=True, error_model="numpy")
def _through_relu(grad, after, bias):
    for j in range(bias.shape[0]):
        bias[j] = 0.0
    for i in range(grad.shape[0]):
        for j in range(grad.shape[1]):
            if not after[i, j] > 0.0:
                grad[i, j] = 0.0
            bias[j] += grad[i, j]
