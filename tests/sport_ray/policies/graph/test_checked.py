"""Files that are no graph of a policy: damaged, hostile or only unusual; each in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from sport_ray.errors import UserError  # noqa: E402
from sport_ray.policies.graph.rows import GraphRows  # noqa: E402
from tests.sport_ray.policies.graph.onnx_models import (  # noqa: E402
    OBS,
    constant,
    model_of,
    normal,
    one_observation,
)

X = "observation"


def good() -> onnx.ModelProto:
    """A linear policy."""
    nodes = [helper.make_node("Gemm", [X, "w", "b"], ["y"], transB=1)]
    model = model_of(nodes, ["y"], [constant("w", normal(2, OBS)), constant("b", normal(2))])
    return onnx.ModelProto.FromString(one_observation(model, [(1, 2)]))


def changed(change: Any) -> bytes:
    model = good()
    change(model)
    return model.SerializeToString()


def external(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.ClearField("raw_data")


def external_without_saying(model: Any) -> None:
    model.graph.initializer[0].external_data.add(key="location", value="weights.bin")


def external_in_a_constant(model: Any) -> None:
    tensor = TensorProto(name="far", data_type=TensorProto.FLOAT, dims=[OBS])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../w")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["k"], value=tensor))


def claims(*dims: int) -> Any:
    def change(model: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend(dims)

    return change


def replaced(*nodes: Any) -> Any:
    def change(model: Any) -> None:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        kind = TensorProto.FLOAT
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", kind, ["n", "k"]))

    return change


def filled(size: int) -> Any:
    """A constant of that many entries, of a few bytes in the file."""

    def change(model: Any) -> None:
        model.graph.initializer.append(constant("size", np.array([size])))
        replaced(
            helper.make_node("ConstantOfShape", ["size"], ["k"]),
            helper.make_node("ReduceSum", ["k"], ["s"], keepdims=0),
            helper.make_node("Add", [X, "s"], ["y"]),
        )(model)

    return change


def doubling(model: Any) -> None:
    """A value that is twice as long after each node."""
    nodes, name = [], X
    for index in range(40):
        nodes.append(helper.make_node("Concat", [name, name], [f"v{index}"], axis=1))
        name = f"v{index}"
    replaced(*nodes, helper.make_node("ReduceSum", [name], ["y"]))(model)


def unknown_shape(model: Any) -> None:
    replaced(
        helper.make_node("Cast", [X], ["i"], to=TensorProto.INT64),
        helper.make_node("Flatten", ["i"], ["f"], axis=0),
        helper.make_node("Reshape", ["f", "m"], ["s"]),
        helper.make_node("ConstantOfShape", ["s"], ["k"]),
        helper.make_node("ReduceSum", ["k"], ["t"], keepdims=0),
        helper.make_node("Add", [X, "t"], ["y"]),
    )(model)
    model.graph.initializer.append(constant("m", np.array([-1])))


def looping(operator: str) -> Any:
    body = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "body", [], [])
    return replaced(helper.make_node(operator, [X], ["y"], body=body))


def opset(version: int, domain: str = "") -> Any:
    def change(model: Any) -> None:
        model.opset_import[0].version = version
        model.opset_import[0].domain = domain

    return change


HOSTILE: dict[str, tuple[Any, str]] = {
    "external data": (external, "lies in another file"),
    "external data, hidden": (external_without_saying, "lies in another file"),
    "external data in a constant": (external_in_a_constant, "lies in another file"),
    "huge": (claims(2**40, 2**20), "claims the shape"),
    "negative": (claims(-2, -OBS), "claims the shape"),
    "more than there is": (claims(20_000, OBS), "claims 80000 numbers and has 8"),
    "less than there is": (claims(1, OBS), "claims 4 numbers and has 8"),
    "another type": (
        lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.STRING), "holds STRING"
    ),
    "no type": (lambda m: setattr(m.graph.initializer[0], "data_type", 99), "holds type 99"),
    "old opset": (opset(7), "opset 7; expected 11 to"),
    "future opset": (opset(999), "opset 999; expected"),
    "no opset": (opset(3, "ai.onnx.ml"), "names no opset of ONNX's own"),
    "own domain": (
        replaced(helper.make_node("Gemm", [X, "w"], ["y"], domain="com.evil")), "'com.evil'"
    ),
    "unknown operator": (replaced(helper.make_node("Exec", [X], ["y"])), "'Exec' is not supported"),
    "random": (replaced(helper.make_node("RandomNormalLike", [X], ["y"])), "random numbers"),
    "memory": (replaced(helper.make_node("LSTM", [X, "w", "w"], ["y"])), "memory between steps"),
    "loop": (looping("Loop"), "control flow"),
    "branch": (looping("If"), "control flow"),
    "graph in an attribute": (looping("Identity"), "has a graph of its own"),
    "own padding": (
        replaced(helper.make_node("Conv", [X, "w"], ["y"], auto_pad="SAME_UPPER")), "explicit pads"
    ),
    "training": (
        replaced(helper.make_node("BatchNormalization", [X, "b", "b", "b", "b"], ["y"],
                                  training_mode=1)), "training mode"
    ),
    "functions": (lambda m: m.functions.add(name="f", domain="d"), "functions of its own"),
    "sparse": (lambda m: m.graph.sparse_initializer.add(), "sparse tensors"),
    "cycle": (replaced(helper.make_node("Add", [X, "y"], ["y"])), "not valid ONNX"),
    "nothing there": (replaced(helper.make_node("Add", [X, "nowhere"], ["y"])), "not valid ONNX"),
    "no nodes": (replaced(), "no ONNX file, or damaged"),
    "shapes": (claims(OBS, 2), "do not fit"),
    "large constant": (filled(2**40), "more than 4000000 entries"),
    "doubling": (doubling, "more than 4000000 entries"),
    "unknown shape": (unknown_shape, "is not known before it runs"),
    "many nodes": (
        replaced(*(helper.make_node("Identity", [X], [f"v{i}"]) for i in range(5_001))),
        "5001 nodes",
    ),
}  # fmt: skip


def test_the_good_one_passes():
    assert GraphRows("the file", good().SerializeToString()).sizes == (2,)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_or_unusual_is_one_line(name):
    change, reason = HOSTILE[name]
    data = changed(change)
    with pytest.raises(UserError, match=reason) as caught:
        GraphRows("the file", data)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the file")


DATA = good().SerializeToString()


def outcome(data: bytes) -> str:
    """What comes of bytes: a line, or "" for a graph that can be evaluated."""
    try:
        rows = GraphRows("the file", data)
    except UserError as error:
        return str(error)
    rows(np.ones(rows.observation_size))
    return ""


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(DATA) - 1), st.integers(0, 255), st.integers(0, len(DATA)))
def test_damage_is_told_in_one_line_or_is_another_valid_graph(at, byte, length):
    damaged = bytearray(DATA)
    damaged[at] = byte
    for data in (bytes(damaged), DATA[:length], bytes(damaged)[:length]):
        assert "\n" not in outcome(data)


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data):
    assert outcome(data).startswith("the file")
    assert "\n" not in outcome(data)
