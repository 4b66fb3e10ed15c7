"""The distributions at fewer observations than a block has: its numbers, to the bit.

As for one row by itself (sport_ray.policies.row): sums are float64, in an order of their own, with
a bound on how far *any* order may be from them, and rows whose float32 numbers could hang on that
are left to the block. Inputs that are 0, half of them after a ReLU, cost nothing.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.compiled import njit
from sport_ray.policies.heads import fixed
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.sealed import Sealed

_U = 2.0**-53
MOST = 48
"""Rows up to which this costs less than a block of 64."""


class FewRows(Sealed):
    """A policy of ReLU layers with fixed weights, some observations at a time.

    network: float64, of float32 numbers.
    """

    def __init__(self, network: PolicyNetwork) -> None:
        spec, layers = network.spec, [m for m in network.layers if isinstance(m, torch.nn.Linear)]
        self.serves = spec.activation == "relu"
        """Whether it can compute this policy's rows at all."""
        self._network = network
        matrices = [layer.weight.numpy().T.astype(np.float32) for layer in layers]
        self._flat = np.concatenate([matrix.ravel() for matrix in matrices])
        self._sizes = np.array(spec.layer_sizes)
        self._biases = fixed(np.concatenate([layer.bias.numpy() for layer in layers]))
        norms = [np.linalg.norm(layer.weight.numpy(), axis=1) for layer in layers]
        self._norms = fixed(np.concatenate(norms) * (1.0 + 1e-6))
        self._head = spec.head.compiled()
        own = [value.numpy() for value in network.of_the_head().values()]
        self._own = fixed(own or np.empty((0, 0)))
        for array in (self._flat, self._sizes):
            array.setflags(write=False)

    def parameters(
        self, observations: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The numbers (n, P) at observations (n, O), and of which rows they are the block's."""
        seen = observations
        if self._network.spec.normalization is not None:
            seen = self._network.normalized(torch.from_numpy(observations)).numpy()
        found = np.empty((len(seen), self._sizes[-1]))
        error = np.empty_like(found)
        _rows(seen, self._flat, self._sizes, self._biases, self._norms, found, error)
        return self._head.sure_numbers(found, error, self._own)


@njit(nogil=True, error_model="numpy")
def _rows(seen, flat, sizes, biases, norms, found, errors):
    """The last layer's outputs (n, K), and what each may be off."""
    layers = sizes.shape[0] - 1
    widest = 0
    for layer in range(layers + 1):
        widest = max(widest, sizes[layer])
    work = np.empty((2, widest))
    used = np.empty(widest, dtype=np.int64)
    error = np.empty(widest)
    for r in range(seen.shape[0]):
        x = work[0, : sizes[0]]
        for j in range(sizes[0]):
            x[j] = seen[r, j]
        off = 0.0  # length of the error of x against exact arithmetic
        weight = bias = 0
        for layer in range(layers):
            fan_in, fan_out = sizes[layer], sizes[layer + 1]
            matrix = flat[weight : weight + fan_in * fan_out].reshape((fan_in, fan_out))
            out = work[(layer + 1) % 2, :fan_out]
            for j in range(fan_out):
                out[j] = biases[bias + j]
            square = _add_product(x, matrix, out, used)
            # More than any sum's error: n products and additions and the bias (γ_n, Higham 3.1);
            # Cauchy–Schwarz, entry by entry: the sum of |w||x| is at most the product of lengths.
            gamma = (fan_in + 8.0) * _U
            reach = gamma * (math.sqrt(square) + off) + off
            total = 0.0
            for j in range(fan_out):
                wrong = norms[bias + j] * reach + gamma * abs(biases[bias + j])
                if layer < layers - 1 and out[j] <= 0.0:
                    if out[j] < -2.0 * wrong:
                        wrong = 0.0  # 0 in any order
                    out[j] = 0.0
                error[j] = wrong
                total += wrong * wrong
            off = math.sqrt(total)
            x = out
            weight += fan_in * fan_out
            bias += fan_out
        found[r] = x
        errors[r] = error[: sizes[layers]]


@njit(nogil=True, error_model="numpy")
def _add_product(x, matrix, out, used):
    """Add x · matrix to ``out``; the squared length of x."""
    count = 0
    square = 0.0
    for k in range(x.shape[0]):
        if x[k] != 0.0:
            used[count] = k
            square += x[k] * x[k]
            count += 1
    k = 0
    while k + 4 <= count:
        a, b, c, d = used[k], used[k + 1], used[k + 2], used[k + 3]
        xa, xb, xc, xd = x[a], x[b], x[c], x[d]
        ma, mb, mc, md = matrix[a], matrix[b], matrix[c], matrix[d]
        for j in range(out.shape[0]):
            out[j] += (xa * np.float64(ma[j]) + xb * np.float64(mb[j])) + (
                xc * np.float64(mc[j]) + xd * np.float64(md[j])
            )
        k += 4
    while k < count:
        xa, ma = x[used[k]], matrix[used[k]]
        for j in range(out.shape[0]):
            out[j] += xa * np.float64(ma[j])
        k += 1
    return square
