"""Nodes of a graph that depend on no observation, replaced by what they give.

Exporters compute shapes as they go; for one observation all of them are constants.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sport_ray.policies.graph.checked import MOST_ENTRIES, known_shapes, require_onnx

PASSES = 20


def fold(model: Any) -> None:
    """Replace constant nodes of a model, in place, as long as there are any.

    A node whose output would be very large, or that fails, stays as it is.
    """
    onnx = require_onnx()
    for _ in range(PASSES):
        if not _pass(onnx, model):
            return


def evaluated(onnx: Any, model: Any, node: Any, values: Mapping[str, Any]) -> list[Any] | None:
    """What a node gives for arrays by name, in their types; None: it fails, or is very large."""
    helper, names = onnx.helper, [name for name in dict.fromkeys(node.input) if name]
    graph = helper.make_graph(
        [node],
        "one",
        [],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
        [onnx.numpy_helper.from_array(np.asarray(values[name]), name) for name in names],
    )
    one = helper.make_model(graph, opset_imports=list(model.opset_import))
    try:
        shapes = known_shapes(onnx, one)
        if any(math.prod(shapes[n]) > MOST_ENTRIES for n in node.output if n):
            return None
        given = {name: np.asarray(values[name]) for name in names}
        return list(onnx.reference.ReferenceEvaluator(one).run(None, given))
    except Exception:  # whatever an operator raises on odd input; the graph's own run tells
        return None


def _pass(onnx: Any, model: Any) -> bool:
    graph = model.graph
    try:
        shapes = known_shapes(onnx, model)
    except Exception:  # what does not fit is told by who requires shapes
        shapes = {}
    values = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    kept, changed = [], False
    for node in graph.node:
        found = None
        if node.op_type == "Shape" and node.input[0] in shapes:
            found = evaluated(onnx, model, node, {node.input[0]: _blank(shapes[node.input[0]])})
        elif all(name in values for name in node.input if name):
            found = evaluated(onnx, model, node, values)
        if found is None:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            kept.append(copy)
            continue
        changed = True
        names = [name for name in node.output if name]
        for name, array in zip(names, found, strict=True):
            values[name] = np.asarray(array)
            graph.initializer.append(onnx.numpy_helper.from_array(values[name], name))
    del graph.node[:]
    graph.node.extend(kept)
    return changed


def _blank(shape: tuple[int, ...]) -> Any:
    """Of a shape, without memory; its numbers do not matter."""
    return np.zeros(shape, dtype=np.int8)
