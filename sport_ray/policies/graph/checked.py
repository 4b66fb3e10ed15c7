"""The bytes of an ONNX file, looked at before anything is computed from them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from sport_ray.errors import UserError
from sport_ray.policies.graph.operators import OPERATORS, OPSETS, WHY_NOT
from sport_ray.policies.limits import MOST_PARAMETERS, WIDEST

LARGEST = 4 * MOST_PARAMETERS
"""Bytes of a file."""
MOST_NODES = 5_000
MOST_ENTRIES = 4_000_000
"""Entries of any one value between the observation and the outputs."""
OWN_DOMAIN = ("", "ai.onnx")
FLOATS = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")


def require_onnx() -> Any:
    """The package ``onnx``.

    Raises:
        UserError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.reference
        import onnx.shape_inference
    except ImportError as error:
        raise UserError(
            f"an ONNX graph needs the package onnx ({error}): pip install 'onnx>=1.20,<2'"
        ) from None
    return onnx


def read_graph(source: str, data: bytes) -> Any:
    """The model in a file's bytes, with one graph of known operators and nothing outside it.

    Raises:
        UserError: bytes that are no such model, or one that is refused, with the reason.
    """
    onnx = require_onnx()
    if len(data) > LARGEST:
        raise UserError(f"{source} is larger than {LARGEST} bytes")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own
        raise UserError(f"{source} is no ONNX file, or damaged: {_line(error)}") from None
    _require_plain(source, model)
    for node in model.graph.node:
        _require_known(source, node)
    for tensor in tensors_of(model):
        _require_inside(source, onnx, tensor)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # ValidationError, and what C++ code raises
        raise UserError(f"{source} is not valid ONNX: {_line(error)}") from None
    return model


def require_shapes(source: str, model: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every value, known before anything runs; types agree, too.

    Raises:
        UserError: an unknown or very large one, or types that do not fit.
    """
    try:
        found = known_shapes(require_onnx(), model)
    except Exception as error:  # InferenceError, and what C++ code raises
        raise UserError(f"{source}: its shapes do not fit: {_line(error)}") from None
    for node in model.graph.node:
        for name in filter(None, node.output):
            if name not in found:
                raise UserError(
                    f"{source}: the shape of {name!r} ({node.op_type}) is not known before it "
                    "runs: export it for one observation, with constant shapes"
                )
            if math.prod(found[name]) > MOST_ENTRIES:
                raise UserError(
                    f"{source}: {name!r} ({node.op_type}) has the shape {found[name]}, more than "
                    f"{MOST_ENTRIES} entries"
                )
    return found


def known_shapes(onnx: Any, model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of values as far as ONNX can tell them, by name; its errors where types do not fit."""
    inferred = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )
    graph = inferred.graph
    found = {one.name: tuple(one.dims) for one in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if kind.HasField("shape") and all(one.HasField("dim_value") for one in kind.shape.dim):
            found[value.name] = tuple(int(one.dim_value) for one in kind.shape.dim)
    return found


def tensors_of(model: Any) -> Iterator[Any]:
    """All tensors that a model holds."""
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _require_plain(source: str, model: Any) -> None:
    graph = model.graph
    if not graph.node or not graph.output:
        raise UserError(f"{source} is no ONNX file, or damaged: it has no graph")
    for what, there in (
        ("functions of its own", len(model.functions)),
        ("training information", len(model.training_info)),
        ("sparse tensors", len(graph.sparse_initializer)),
    ):
        if there:
            raise UserError(f"{source} has {what}, which are not read: export it without them")
    if len(graph.node) > MOST_NODES:
        raise UserError(f"{source} has {len(graph.node)} nodes, more than {MOST_NODES}")
    for one in model.opset_import:
        if one.domain in OWN_DOMAIN and not OPSETS[0] <= one.version <= OPSETS[1]:
            raise UserError(
                f"{source} has opset {one.version}; expected {OPSETS[0]} to {OPSETS[1]}: export it "
                "with another opset_version"
            )
    if not any(one.domain in OWN_DOMAIN for one in model.opset_import):
        raise UserError(f"{source} names no opset of ONNX's own operators")


def _require_known(source: str, node: Any) -> None:
    if node.domain not in OWN_DOMAIN:
        raise UserError(
            f"{source}: the operator {node.op_type!r} is of the domain {node.domain!r}; only "
            "ONNX's own are known"
        )
    if node.op_type not in OPERATORS:
        why = WHY_NOT.get(node.op_type, "it is not among those that are known to repeat")
        raise UserError(f"{source}: the operator {node.op_type!r} is not supported: {why}")
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs or attribute.ref_attr_name:
            raise UserError(f"{source}: {node.op_type!r} has a graph of its own")
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise UserError(f"{source}: {node.op_type!r} has a sparse tensor")
        if attribute.name == "auto_pad" and attribute.s not in (b"", b"NOTSET"):
            raise UserError(f"{source}: {node.op_type!r} pads by itself: export explicit pads")
        if attribute.name == "ceil_mode" and attribute.i:
            raise UserError(f"{source}: {node.op_type!r} with ceil_mode is not supported")
        if attribute.name == "training_mode" and attribute.i:
            raise UserError(f"{source}: {node.op_type!r} is in training mode: export for inference")
    if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
        raise UserError(f"{source}: 'Dropout' may be in training mode: export for inference")


def _require_inside(source: str, onnx: Any, tensor: Any) -> None:
    name = tensor.name or "a constant"
    if tensor.external_data or tensor.data_location != onnx.TensorProto.DEFAULT:
        raise UserError(
            f"{source}: {name!r} lies in another file: export it with its weights inside "
            "(external_data=False)"
        )
    kind = _kind(onnx, tensor.data_type)
    if kind not in (*FLOATS, "INT32", "INT64", "BOOL"):
        raise UserError(f"{source}: {name!r} holds {kind}; expected floats, whole numbers or bool")
    if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MOST_PARAMETERS:
        raise UserError(f"{source}: {name!r} claims the shape {tuple(tensor.dims)}")
    width = {"DOUBLE": 8, "INT64": 8, "FLOAT": 4, "INT32": 4, "BOOL": 1}.get(kind, 2)
    claimed = math.prod(tensor.dims)
    typed = max(len(tensor.float_data), len(tensor.int32_data), len(tensor.int64_data))
    there = (
        len(tensor.raw_data) // width if tensor.raw_data else max(typed, len(tensor.double_data))
    )
    if claimed != there or len(tensor.raw_data) % width:
        raise UserError(f"{source}: {name!r} claims {claimed} numbers and has {there}")
    if len(tensor.dims) > 16 or (tensor.dims and max(tensor.dims) > max(WIDEST, MOST_PARAMETERS)):
        raise UserError(f"{source}: {name!r} claims the shape {tuple(tensor.dims)}")


def _kind(onnx: Any, number: int) -> str:
    try:
        return str(onnx.TensorProto.DataType.Name(number))
    except ValueError:
        return f"type {number}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
