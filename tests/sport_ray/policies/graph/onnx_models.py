"""Small ONNX models for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OBS = 4


def constant(name: str, values: Any) -> TensorProto:
    """An initialiser; floats in float32."""
    array = np.asarray(values)
    kept = array.astype(np.float32) if array.dtype.kind == "f" else array
    return numpy_helper.from_array(kept, name)


def model_of(
    nodes: list[Any],
    outputs: list[str],
    constants: list[TensorProto] | None = None,
    *,
    shape: tuple[Any, ...] = ("n", OBS),
    opset: int = 20,
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model with the input "observation" and outputs of unknown shape."""
    given = [helper.make_tensor_value_info("observation", kind, shape)]
    found = [helper.make_tensor_value_info(name, kind, ["n", "k"]) for name in outputs]
    graph = helper.make_graph(nodes, "policy", given, found, constants or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Float32 numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def one_observation(model: onnx.ModelProto, outputs: list[tuple[int, ...]]) -> bytes:
    """Bytes of the model for a batch of one, with these output shapes."""
    (given,) = model.graph.input
    given.type.tensor_type.shape.dim[0].dim_value = 1
    for value, shape in zip(model.graph.output, outputs, strict=True):
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape))
    return model.SerializeToString()
