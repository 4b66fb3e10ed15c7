"""A graph at one observation after the other, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from sport_ray.errors import UserError
from sport_ray.policies.graph.checked import read_graph, require_onnx, require_shapes
from sport_ray.policies.graph.exact import in_float64
from sport_ray.policies.threads import one_thread

Array = NDArray[np.float64]


class GraphRows:
    """The outputs of a graph with one input, the observation (O,) or (1, O).

    By ONNX's reference evaluator, which is the standard's own account of each operator. Products,
    convolutions and the error function are torch's on one thread: the reference's products are
    split among threads as the machine has them, and its error function rounds to float32.

    source: begins the line of an error.

    Raises:
        UserError: bytes that are refused, or a graph of another form.
    """

    def __init__(self, source: str, data: bytes) -> None:
        model = in_float64(read_graph(source, data))
        onnx = require_onnx()
        if len(model.graph.input) != 1:
            raise UserError(f"{source} has {len(model.graph.input)} inputs, expected one")
        shapes = require_shapes(source, model)
        given = model.graph.input[0]
        self._input = given.name
        self._shape = shapes.get(given.name, ())
        if len(self._shape) not in (1, 2) or (len(self._shape) == 2 and self._shape[0] != 1):
            raise UserError(f"{source}: the observation has the shape {self._shape}, expected (O,)")
        kinds = {value.type.tensor_type.elem_type for value in (given, *model.graph.output)}
        if kinds != {onnx.TensorProto.DOUBLE}:
            raise UserError(f"{source}: the observation and the outputs must be floats")
        self.observation_size = self._shape[-1]
        self.sizes = tuple(int(np.prod(shapes[one.name])) for one in model.graph.output)
        """Entries of each output."""
        self._evaluator = onnx.reference.ReferenceEvaluator(model, new_ops=_own_operators())

    def __call__(self, observation: Array) -> Array:
        """All outputs side by side, (K,), at an observation (O,); NaN where one is not finite."""
        seen = np.ascontiguousarray(observation, dtype=np.float64).reshape(self._shape)
        with one_thread(), np.errstate(all="ignore"):
            found = self._evaluator.run(None, {self._input: seen})
        both: Array = np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in found])
        return both if np.isfinite(both).all() else np.full_like(both, np.nan)


def _own_operators() -> list[type]:
    """Operators computed otherwise than by the reference."""
    from onnx.reference.op_run import OpRun

    class MatMul(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, a: Any, b: Any) -> tuple[Any]:
            return (_product(a, b),)

    class Gemm(OpRun):  # type: ignore[misc]
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

    class Erf(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(self, x: Any) -> tuple[Any]:
            return (torch.erf(_tensor(x)).numpy(),)

    class Conv(OpRun):  # type: ignore[misc]
        op_domain = ""

        def _run(
            self, x: Any, w: Any, b: Any = None, auto_pad: Any = None, dilations: Any = None,
            group: Any = 1, kernel_shape: Any = None, pads: Any = None, strides: Any = None,
        ) -> tuple[Any]:  # fmt: skip
            return (_convolved(x, w, b, dilations, group, pads, strides),)

    return [MatMul, Gemm, Erf, Conv]


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
    seen = _tensor(x)
    if pads is not None and any(pads):
        pairs = [(pads[i], pads[i + dimensions]) for i in reversed(range(dimensions))]
        seen = functional.pad(seen, [int(size) for pair in pairs for size in pair])
    found: torch.Tensor = kernel(
        seen,
        _tensor(w),
        None if b is None else _tensor(b),
        stride=[int(one) for one in strides or [1] * dimensions],
        dilation=[int(one) for one in dilations or [1] * dimensions],
        groups=int(group),
    )
    return found.numpy()
