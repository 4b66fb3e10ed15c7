"""A graph with every real number in float64: constants, casts and the observation."""

from __future__ import annotations

from typing import Any

import numpy as np

from sport_ray.policies.graph.checked import FLOATS, require_onnx


def in_float64(model: Any) -> Any:
    """The same graph computed in float64: a float32 constant is the same number there.

    What would round on the way (a cast to float16, say) does not any more.
    """
    onnx = require_onnx()
    exact = onnx.ModelProto()
    exact.CopyFrom(model)
    double = onnx.TensorProto.DOUBLE
    floats = {onnx.TensorProto.DataType.Value(name) for name in FLOATS}
    for tensor in exact.graph.initializer:
        _convert(onnx, tensor, floats)
    for node in exact.graph.node:
        _convert_node(onnx, node, floats)
    for value in (*exact.graph.input, *exact.graph.output):
        if value.type.tensor_type.elem_type in floats:
            value.type.tensor_type.elem_type = double
    del exact.graph.value_info[:]
    return exact


def _convert_node(onnx: Any, node: Any, floats: set[int]) -> None:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            _convert(onnx, attribute.t, floats)
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i in floats:
            attribute.i = onnx.TensorProto.DOUBLE
        if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            values = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            # A float attribute is a float32 number, whatever Python shows of it.
            array = np.asarray(values, dtype=np.float32).astype(np.float64)
            attribute.CopyFrom(
                onnx.helper.make_attribute("value", onnx.numpy_helper.from_array(array))
            )
    if node.op_type == "ConstantOfShape" and not node.attribute:  # 0 in float32 by default
        zero = onnx.numpy_helper.from_array(np.zeros(1))
        node.attribute.append(onnx.helper.make_attribute("value", zero))


def _convert(onnx: Any, tensor: Any, floats: set[int]) -> None:
    if tensor.data_type in floats:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
