"""Operators that are computed by torch on one thread, and not by ONNX's reference evaluator.

Its products are split among as many threads as the machine has, so that their bits would depend on
it. Its error function rounds to float32, its Gelu has float32 constants, and its MaxPool gives
another shape where padding is uneven (seen in onnx 1.23).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional


def own_operators() -> list[type]:
    """Classes for ONNX's reference evaluator, by the operators' names."""
    from onnx.reference.op_run import OpRun

    class MatMul(OpRun):
        op_domain = ""

        def _run(self, a: Any, b: Any) -> tuple[Any]:
            return (_product(a, b),)

    class Gemm(OpRun):
        op_domain = ""

        def _run(
            self, a: Any, b: Any, c: Any = None, alpha: Any = 1.0, beta: Any = 1.0,
            transA: Any = 0, transB: Any = 0,  # noqa: N803 (the attributes' names)
        ) -> tuple[Any]:  # fmt: skip
            found = _product(a.T if transA else a, b.T if transB else b)
            found = found if alpha == 1.0 else alpha * found
            if c is None:
                return (found,)
            return (found + (c if beta == 1.0 else beta * c),)

    class Erf(OpRun):
        op_domain = ""

        def _run(self, x: Any) -> tuple[Any]:
            return (torch.erf(_tensor(x)).numpy(),)

    class Gelu(OpRun):
        op_domain = ""

        def _run(self, x: Any, approximate: Any = "none") -> tuple[Any]:
            return (functional.gelu(_tensor(x), approximate=str(approximate)).numpy(),)

    class MaxPool(OpRun):
        op_domain = ""

        def _run(
            self, x: Any, auto_pad: Any = None, ceil_mode: Any = 0, dilations: Any = None,
            kernel_shape: Any = None, pads: Any = None, storage_order: Any = 0,
            strides: Any = None,
        ) -> tuple[Any]:  # fmt: skip
            return (_largest(x, kernel_shape, dilations, pads, strides),)

    class Conv(OpRun):
        op_domain = ""

        def _run(
            self, x: Any, w: Any, b: Any = None, auto_pad: Any = None, dilations: Any = None,
            group: Any = 1, kernel_shape: Any = None, pads: Any = None, strides: Any = None,
        ) -> tuple[Any]:  # fmt: skip
            return (_convolved(x, w, b, dilations, group, pads, strides),)

    return [MatMul, Gemm, Erf, Gelu, MaxPool, Conv]


def _tensor(array: Any) -> torch.Tensor:
    # A reference evaluator hands on arrays that may not be written into.
    return torch.from_numpy(np.array(array, dtype=array.dtype, order="C"))


def _product(a: Any, b: Any) -> Any:
    if a.dtype.kind != "f":
        return np.matmul(a, b)
    return torch.matmul(_tensor(a), _tensor(b)).numpy()


def _convolved(x: Any, w: Any, b: Any, dilations: Any, group: int, pads: Any, strides: Any) -> Any:
    dimensions = w.ndim - 2
    kernel = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[dimensions]
    found: torch.Tensor = kernel(
        _padded(x, pads, 0.0),
        _tensor(w),
        None if b is None else _tensor(b),
        stride=_whole(strides, dimensions),
        dilation=_whole(dilations, dimensions),
        groups=int(group),
    )
    return found.numpy()


def _largest(x: Any, kernel_shape: Any, dilations: Any, pads: Any, strides: Any) -> Any:
    dimensions = x.ndim - 2
    pool: Any = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
    found: torch.Tensor = pool[dimensions](
        _padded(x, pads, -np.inf),
        _whole(kernel_shape, dimensions),
        stride=_whole(strides, dimensions),
        dilation=_whole(dilations, dimensions),
    )
    return found.numpy()


def _padded(x: Any, pads: Any, value: float) -> torch.Tensor:
    """With entries before and after each axis; torch names the last axis first."""
    if pads is None or not any(pads):
        return _tensor(x)
    dimensions = x.ndim - 2
    pairs = [(pads[i], pads[i + dimensions]) for i in reversed(range(dimensions))]
    return functional.pad(_tensor(x), [int(size) for pair in pairs for size in pair], value=value)


def _whole(given: Any, dimensions: int) -> list[int]:
    return [int(one) for one in given] if given else [1] * dimensions
