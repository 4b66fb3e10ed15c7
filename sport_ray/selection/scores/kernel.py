"""The critic's laws for rollouts: compiled, one state at a time, every sum in one fixed order.

Matrix libraries sum in an order that depends on the shape of a batch. Here each product is added
to all outputs at once (vectorised over outputs, never over a sum), without fused operations: a
candidate's numbers depend on its state and itself alone, and are the same on every processor.
"""

# mypy: allow-untyped-defs

from __future__ import annotations

import numpy as np

from sport_ray.compiled import njit

_LOG2E = 1.4426950408889634
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_SMALLEST = -700.0


@njit(nogil=True, error_model="numpy")
def _exponentials(x, out):
    """e^x (n,) for x ≤ 0 into ``out``, within 1e-15: without a library, so alike everywhere.

    Reduction by ln 2 in two parts, Taylor's series to degree 13 on |r| ≤ ln 2 / 2.
    """
    for i in range(x.shape[0]):
        value = max(x[i], _SMALLEST)
        whole = np.floor(value * _LOG2E + 0.5)
        r = (value - whole * _LN2_HIGH) - whole * _LN2_LOW
        s = 1.0 / 6227020800.0
        s = s * r + 1.0 / 479001600.0
        s = s * r + 1.0 / 39916800.0
        s = s * r + 1.0 / 3628800.0
        s = s * r + 1.0 / 362880.0
        s = s * r + 1.0 / 40320.0
        s = s * r + 1.0 / 5040.0
        s = s * r + 1.0 / 720.0
        s = s * r + 1.0 / 120.0
        s = s * r + 1.0 / 24.0
        s = s * r + 1.0 / 6.0
        s = s * r + 0.5
        s = s * r + 1.0
        s = s * r + 1.0
        bits = np.int64(np.int64(whole) + 1023) << 52
        out[i] = s * np.int64(bits).view(np.float64)


@njit(nogil=True, error_model="numpy")
def _linear(matrix, bias, x, out, chosen):
    """Write bias + x · matrix (inputs, outputs) into ``out``, float32; zeros of x are skipped.

    Four inputs a pass over the outputs, added in order: the same sums, a fourth of the traffic.
    ``chosen`` (inputs): where the inputs that are not zero are listed.
    """
    count = 0
    for i in range(x.shape[0]):
        chosen[count] = i
        count += x[i] != np.float32(0.0)
    for k in range(out.shape[0]):
        out[k] = bias[k]
    whole = count - count % 4
    for c in range(0, whole, 4):
        i0, i1, i2, i3 = chosen[c], chosen[c + 1], chosen[c + 2], chosen[c + 3]
        x0, x1, x2, x3 = x[i0], x[i1], x[i2], x[i3]
        r0, r1, r2, r3 = matrix[i0], matrix[i1], matrix[i2], matrix[i3]
        for k in range(out.shape[0]):
            out[k] = (((out[k] + x0 * r0[k]) + x1 * r1[k]) + x2 * r2[k]) + x3 * r3[k]
    for c in range(whole, count):
        value, row = x[chosen[c]], matrix[chosen[c]]
        for k in range(out.shape[0]):
            out[k] += value * row[k]


@njit(nogil=True, error_model="numpy")
def _relu(x):
    for i in range(x.shape[0]):
        x[i] = max(x[i], np.float32(0.0))


@njit(nogil=True, error_model="numpy")
def laws(embed, act, layers, observations, actions, out):
    """Laws (n, M, outputs) float64 into ``out``.

    embed, layers: tuples of (matrix (inputs, outputs), bias); act (D, hidden); all float32.
    observations (n, I), actions (n, M, D): float32, as ``Inputs`` gives them.
    """
    outputs = out.shape[2]
    shifted = np.empty(outputs)
    widest = max(observations.shape[1], actions.shape[2])
    for layer in embed:
        widest = max(widest, layer[1].shape[0])
    for layer in layers:
        widest = max(widest, layer[1].shape[0])
    chosen = np.empty(widest + 1, dtype=np.int64)
    one, two = np.empty(widest, dtype=np.float32), np.empty(widest, dtype=np.float32)
    embedded = np.empty(act.shape[1], dtype=np.float32)
    for n in range(observations.shape[0]):
        x = observations[n]
        first = True
        for layer in embed:
            if not first:
                _relu(x)
            first = False
            y = two[: layer[1].shape[0]]
            _linear(layer[0], layer[1], x, y, chosen)
            one, two = two, one
            x = y
        embedded[:] = x
        for j in range(actions.shape[1]):
            z = one[: act.shape[1]]
            _linear(act, embedded, actions[n, j], z, chosen)
            for layer in layers:
                _relu(z)
                y = two[: layer[1].shape[0]]
                _linear(layer[0], layer[1], z, y, chosen)
                one, two = two, one
                z = y
            top = np.float64(z[0])
            for k in range(outputs):
                top = max(top, np.float64(z[k]))
            for k in range(outputs):
                shifted[k] = np.float64(z[k]) - top
            law = out[n, j]
            _exponentials(shifted, law)
            total = 0.0
            for k in range(outputs):
                total += law[k]
            for k in range(outputs):
                law[k] /= total
