"""A graph at one observation: what the operators give elsewhere, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

from sport_ray.errors import UserError  # noqa: E402
from sport_ray.policies.graph.operators import OPERATORS  # noqa: E402
from sport_ray.policies.graph.rows import GraphRows  # noqa: E402
from tests.sport_ray.policies.graph.onnx_models import (  # noqa: E402
    OBS,
    constant,
    model_of,
    normal,
    one_observation,
)


def node(operator: str, inputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, ["y"], **attributes)


X = "observation"
PAIR = [constant("c", normal(1, OBS))]
WHOLE = {
    "axes": constant("axes", np.array([1])),
    "to_square": constant("to_square", np.array([1, 1, 2, 2])),
}
UNARY = [
    "Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Round", "Sign", "Sin", "Elu",
    "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "LogSoftmax", "Mish", "Relu", "Selu",
    "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh", "ThresholdedRelu", "Identity", "Dropout",
    "Flatten", "Transpose",
]  # fmt: skip
BINARY = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "PRelu"]
REDUCING = [name for name in sorted(OPERATORS) if name.startswith("Reduce")]


def cases() -> dict[str, tuple[list[Any], list[Any]]]:
    """Nodes from the observation to y and constants, by the operator that they try."""
    positive = node("Abs", [X])
    positive.output[0] = "positive"
    found: dict[str, tuple[list[Any], list[Any]]] = {}
    for name in UNARY:
        found[name] = [node(name, [X])], []
    for name in BINARY:
        found[name] = [node(name, [X, "c"])], PAIR
    for name in ("Log", "Sqrt", "Reciprocal"):
        found[name] = [positive, node(name, ["positive"])], []
    found["Pow"] = [positive, node("Pow", ["positive", "c"])], PAIR
    for name in REDUCING:
        found[name] = [node(name, [X, "axes"], keepdims=1)], [WHOLE["axes"]]
    bounds = [constant("low", np.float32(-0.4)), constant("high", np.float32(0.7))]
    found["Clip"] = [node("Clip", [X, "low", "high"])], bounds
    found["MatMul"] = [node("MatMul", [X, "w"])], [constant("w", normal(OBS, 3))]
    gemm = [constant("w", normal(3, OBS)), constant("b", normal(3, seed=1))]
    found["Gemm"] = [node("Gemm", [X, "w", "b"], transB=1, alpha=0.5, beta=2.0)], gemm
    vectors = [constant(name, normal(OBS, seed=i)) for i, name in enumerate("sb")]
    found["LayerNormalization"] = [node("LayerNormalization", [X, "s", "b"])], vectors
    statistics = [*vectors, constant("m", normal(OBS, seed=3)), constant("v", normal(OBS) ** 2)]
    found["BatchNormalization"] = [node("BatchNormalization", [X, "s", "b", "m", "v"])], statistics
    square = helper.make_node("Reshape", [X, "to_square"], ["square"])
    kernel = [constant("w", normal(3, 1, 2, 2)), constant("b", normal(3)), WHOLE["to_square"]]
    convolved = node("Conv", ["square", "w", "b"], pads=[1, 0, 2, 1], strides=[2, 1])
    found["Conv"] = [square, convolved], kernel
    for name in ("MaxPool", "AveragePool"):
        pooled = node(name, ["square"], kernel_shape=[2, 2], pads=[1, 1, 0, 0])
        found[name] = [square, pooled], [WHOLE["to_square"]]
    for name in ("GlobalAveragePool", "GlobalMaxPool"):
        found[name] = [square, node(name, ["square"])], [WHOLE["to_square"]]
    found["Reshape"] = [square, node("Identity", ["square"])], [WHOLE["to_square"]]
    found["Concat"] = [node("Concat", [X, "c"], axis=1)], PAIR
    ends = [constant("start", np.array([1])), constant("end", np.array([3])), WHOLE["axes"]]
    found["Slice"] = [node("Slice", [X, "start", "end", "axes"])], ends
    found["Gather"] = [node("Gather", [X, "i"], axis=1)], [constant("i", np.array([2, 0]))]
    found["Unsqueeze"] = [node("Unsqueeze", [X, "axes"])], [WHOLE["axes"]]
    wide = helper.make_node("Unsqueeze", [X, "axes"], ["wide"])
    found["Squeeze"] = [wide, node("Squeeze", ["wide", "axes"])], [WHOLE["axes"]]
    found["Pad"] = [node("Pad", [X, "p"])], [constant("p", np.array([0, 1, 0, 2]))]
    found["Tile"] = [node("Tile", [X, "r"])], [constant("r", np.array([1, 2]))]
    found["Expand"] = [node("Expand", [X, "r"])], [constant("r", np.array([3, 1, OBS]))]
    halves = helper.make_node("Split", [X], ["y", "z"], axis=1, num_outputs=2)
    found["Split"] = [halves], []
    found["Cast"] = [node("Cast", [X], to=TensorProto.FLOAT)], []
    found["CastLike"] = [node("CastLike", [X, "c"])], PAIR
    equal = helper.make_node("Equal", [X, X], ["mask"])
    found["Equal"] = [equal, node("Where", ["mask", X, "c"])], PAIR
    for name in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual"):
        compared = helper.make_node(name, [X, "c"], ["mask"])
        found[name] = [compared, node("Where", ["mask", X, "c"])], PAIR
    masks = [helper.make_node(one, [X, "c"], [one]) for one in ("Less", "LessOrEqual")]
    for name in ("And", "Or"):
        both = helper.make_node(name, ["Less", "LessOrEqual"], ["mask"])
        found[name] = [*masks, both, node("Where", ["mask", X, "c"])], PAIR
    inverse = helper.make_node("Not", ["Less"], ["mask"])
    found["Not"] = [masks[0], inverse, node("Where", ["mask", X, "c"])], PAIR
    found["Where"] = found["Less"]
    made = helper.make_node("Constant", [], ["k"], value_floats=[0.1, 0.2, 0.3, 0.4])
    found["Constant"] = [made, node("Add", [X, "k"])], []
    zeros = helper.make_node("ConstantOfShape", ["four"], ["k"])
    found["ConstantOfShape"] = [zeros, node("Add", [X, "k"])], [constant("four", np.array([OBS]))]
    for name in ("Shape", "Size"):
        whole = helper.make_node(name, [X], ["k"])
        real = helper.make_node("Cast", ["k"], ["real"], to=TensorProto.FLOAT)
        total = helper.make_node("ReduceSum", ["real"], ["total"], keepdims=0)
        found[name] = [whole, real, total, node("Mul", [X, "total"])], []
    return found


CASES = cases()
NEW = {"Swish": 24}
"""Operators of later opsets than onnxruntime may have: tried by formula."""


def rows_of(nodes: list[Any], constants: list[Any], opset: int = 20) -> tuple[bytes, GraphRows]:
    """Bytes of a model whose output y has whatever shape comes out, and its rows."""
    model = model_of(nodes, ["y"], constants, shape=(1, OBS), opset=opset)
    inferred = onnx.shape_inference.infer_shapes(
        onnx.ModelProto.FromString(_without_output_shape(model)), data_prop=True
    )
    model.graph.output[0].CopyFrom(inferred.graph.output[0])
    data = model.SerializeToString()
    return data, GraphRows("the graph", data)


def _without_output_shape(model: Any) -> bytes:
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    copy.graph.output[0].type.tensor_type.ClearField("shape")
    return copy.SerializeToString()


def test_every_operator_is_tried():
    assert set(CASES) | set(NEW) == OPERATORS


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_operator_gives_what_onnxruntime_gives_and_in_float64(name):
    runtime = pytest.importorskip("onnxruntime")
    data, rows = rows_of(*CASES[name])
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    beyond = 0
    for seen in normal(20, OBS, seed=9):
        (want,) = session.run(["y"], {X: seen[None]})
        got = rows(seen)
        np.testing.assert_allclose(got, want.ravel(), rtol=2e-5, atol=2e-6)
        # The observation with more digits than float32 has: are they still there?
        finer = rows(seen.astype(np.float64) + 1e-10 * np.arange(1, OBS + 1))
        beyond += int((finer != got).any())
        np.testing.assert_allclose(finer, got, rtol=1e-6, atol=1e-6)
    jumps = ("Sign", "Ceil", "Floor", "Round")
    assert (beyond == 0) if name in jumps else (beyond >= 5), "float32 somewhere on the way"


def test_swish_is_its_formula():
    _, rows = rows_of([node("Swish", [X], alpha=1.5)], [], opset=24)
    seen = normal(OBS)
    # A float attribute is a float32 number, which 1.5 is.
    np.testing.assert_allclose(rows(seen), seen / (1.0 + np.exp(-1.5 * seen.astype(float))), 1e-14)


def test_a_network_is_torch_s_in_float64():
    from torch import nn

    net = nn.Sequential(nn.Linear(OBS, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 3))
    parts = [value.detach().numpy() for value in net.parameters()]
    names = ["w0", "b0", "s", "t", "w1", "b1"]
    nodes = [
        helper.make_node("Gemm", [X, "w0", "b0"], ["a"], transB=1),
        helper.make_node("LayerNormalization", ["a", "s", "t"], ["l"]),
        helper.make_node("Gelu", ["l"], ["g"]),
        helper.make_node("Gemm", ["g", "w1", "b1"], ["y"], transB=1),
    ]
    constants = [constant(name, part) for name, part in zip(names, parts, strict=True)]
    data = one_observation(model_of(nodes, ["y"], constants), [(1, 3)])
    rows, exact = GraphRows("the graph", data), net.double()
    for seen in normal(50, OBS):
        with torch.no_grad():
            want = exact(torch.from_numpy(seen).double()).numpy()
        # ε of the layer norm is a float32 number in the file.
        np.testing.assert_allclose(rows(seen), want, rtol=1e-11, atol=1e-12)


def test_numbers_that_are_not_finite_spoil_the_whole_row():
    _, rows = rows_of([node("Log", [X])], [])
    assert np.isfinite(rows(np.ones(OBS))).all()
    assert np.isnan(rows(np.array([1.0, 0.0, 1.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape": (2, OBS)}, r"has the shape \(2, 4\)"),
        ({"shape": (1, 1, OBS)}, r"has the shape \(1, 1, 4\)"),
        ({"shape": ("n", OBS)}, "is not known before it runs"),
        ({"shape": (1, OBS), "kind": TensorProto.INT64}, "must be floats|do not fit|not valid"),
    ],
)
def test_other_inputs_are_refused(change, reason):
    model = model_of([node("Add", [X, X])], ["y"], **change)
    known = [one if one != "n" else "m" for one in change["shape"]]
    kind = model.graph.output[0].type.tensor_type.elem_type
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", kind, known))
    with pytest.raises(UserError, match=reason) as caught:
        GraphRows("the graph", model.SerializeToString())
    assert "\n" not in str(caught.value)
