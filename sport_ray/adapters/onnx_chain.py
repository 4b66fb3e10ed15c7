"""A graph that is a chain of layers, as those layers: exactly its float32 weights, or not at all.

Each value of the graph is followed for one observation: a constant, or entries of a linear layer
after hidden ones. What moves entries about (Reshape, Slice, Concat, …) is applied to their numbers.
A graph with anything else is no chain, and is kept as a graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.adapters.onnx_constants import evaluated
from sport_ray.adapters.parts import LARGEST_LOG_STD, Linear
from sport_ray.policies.graph.checked import require_onnx, require_shapes

Array = NDArray[Any]

ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "Relu": ("relu", {}),
    "Tanh": ("tanh", {}),
    "Sigmoid": ("sigmoid", {}),
    "Elu": ("elu", {"alpha": 1.0}),
    "LeakyRelu": ("leaky_relu", {"alpha": 0.01}),
    "Swish": ("silu", {"alpha": 1.0}),
}
"""With the attributes at which they are torch's defaults, which are ONNX's own, too."""
MOVES = ("Concat", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze",
         "Transpose", "Unsqueeze")  # fmt: skip


class NoChain(Exception):
    """The graph has something that is no layer."""


@dataclass(frozen=True)
class Chain:
    """Entries of a value: rows ``weight``, ``bias`` of a layer after ``hidden`` ones.

    linear: None for the observation itself and after an activation. limits: what the entries are
    clamped to, nats. shape: of the value.
    """

    hidden: tuple[Linear, ...]
    activations: tuple[str, ...]
    width: int
    linear: tuple[Array, Array] | None
    shape: tuple[int, ...]
    limits: tuple[float, float] | None = None

    @property
    def last(self) -> Linear:
        """The last layer."""
        if self.linear is None:
            raise NoChain("it does not end with a layer")
        weight, bias = self.linear
        return torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())

    @property
    def activation(self) -> str | None:
        """Of all hidden layers."""
        if len(set(self.activations)) > 1:
            raise NoChain("activations differ")
        return next(iter(self.activations), None)


Value = Chain | Array


def chains_of(model: Any) -> list[Value] | None:
    """What the outputs of a canonical model are, each a chain or a constant; None: a graph.

    The first is a chain, and all have the same hidden layers.
    """
    try:
        found = _Follow(model).outputs()
        first = found[0]
        if not isinstance(first, Chain) or first.limits is not None:
            return None
        _ = first.activation, first.last
        for other in found[1:]:
            if isinstance(other, Chain):
                _ = other.last
                if other.hidden != first.hidden or other.activations != first.activations:
                    return None
            elif other.dtype != np.float32 or other.size != len(first.last[1]):
                return None
        return [one.ravel() if isinstance(one, np.ndarray) else one for one in found]
    except NoChain:
        return None


class _Follow:
    """One pass through the nodes."""

    def __init__(self, model: Any) -> None:
        self._onnx = require_onnx()
        self._model = model
        self._shapes = require_shapes("the graph", model)
        to_array = self._onnx.numpy_helper.to_array
        self._values: dict[str, Value] = {
            one.name: to_array(one) for one in model.graph.initializer
        }
        (given,) = model.graph.input
        shape = self._shapes[given.name]
        if given.type.tensor_type.elem_type != self._onnx.TensorProto.FLOAT:
            raise NoChain("float64")
        self._values[given.name] = Chain((), (), shape[-1], None, shape)

    def outputs(self) -> list[Value]:
        """The values of the model's outputs."""
        for node in self._model.graph.node:
            self._step(node)
        return [self._values[one.name] for one in self._model.graph.output]

    def _step(self, node: Any) -> None:
        given = [self._values[name] if name else None for name in node.input]
        chains = [one for one in given if isinstance(one, Chain)]
        if not chains:
            found = self._evaluated(node, given)
        elif node.op_type == "Shape":
            whole = np.array(chains[0].shape, dtype=np.int64)
            found = [whole] if not node.attribute else self._stop(node)
        elif node.op_type in MOVES:
            found = self._moved(node, given)
        else:
            found = [self._layer(node, given)]
        for name, value in zip(node.output, found, strict=False):
            if name:
                self._values[name] = value

    def _stop(self, node: Any) -> Any:
        raise NoChain(node.op_type)

    def _evaluated(self, node: Any, given: list[Any]) -> list[Any]:
        """A node by the reference, in the types that the file has."""
        values = {name: one for name, one in zip(node.input, given, strict=True) if name}
        found = evaluated(self._onnx, self._model, node, values)
        if found is None:
            raise NoChain(node.op_type)
        return found

    def _moved(self, node: Any, given: list[Any]) -> list[Value]:
        """Entries moved: the node applied to their numbers."""
        chains = [one for one in given if isinstance(one, Chain)]
        first = chains[0]
        rows, start = [], 0
        inputs = []
        for one in given:
            if not isinstance(one, Chain):
                if node.op_type == "Concat":
                    raise NoChain("Concat with a constant")
                inputs.append(one)
                continue
            alike = one.hidden == first.hidden and one.activations == first.activations
            if (
                not alike
                or one.limits is not None
                or (one.linear is None) != (first.linear is None)
            ):
                raise NoChain("entries of different layers")
            count = int(np.prod(one.shape))
            inputs.append(np.arange(start, start + count).reshape(one.shape))
            rows.append(one)
            start += count
        if node.op_type == "Split" and len(node.input) == 1 and not _split_sizes(node):
            raise NoChain("Split without sizes")
        moved = self._evaluated(node, inputs)
        if first.linear is None:
            # Of what is no layer yet only the shape may change.
            same = len(moved) == 1 and np.array_equal(moved[0].ravel(), np.arange(first.width))
            if len(rows) != 1 or not same:
                raise NoChain("inputs of a layer moved about")
            return [replace(first, shape=moved[0].shape)]
        weight = np.concatenate([one.linear[0] for one in rows if one.linear is not None])
        bias = np.concatenate([one.linear[1] for one in rows if one.linear is not None])
        return [
            replace(first, linear=(weight[at.ravel()], bias[at.ravel()]), shape=at.shape)
            for at in moved
        ]

    def _layer(self, node: Any, given: list[Any]) -> Value:
        operator = node.op_type
        if operator in ACTIVATIONS:
            return self._activated(node, given[0])
        steps: dict[str, Callable[[Any, list[Any]], Chain]] = {
            "Gemm": self._gemm, "MatMul": self._matmul, "Add": self._add, "Mul": self._mul,
            "Clip": self._clip, "Cast": self._same, "Dropout": self._same,
        }  # fmt: skip
        if operator not in steps:
            raise NoChain(operator)
        return steps[operator](node, given)

    def _activated(self, node: Any, given: Any) -> Chain:
        name, expected = ACTIVATIONS[node.op_type]
        for one in node.attribute:
            if one.name not in expected or np.float32(one.f) != np.float32(expected[one.name]):
                raise NoChain(f"{node.op_type} with {one.name}")
        return self._after(given, name)

    def _after(self, given: Any, name: str) -> Chain:
        if not isinstance(given, Chain) or given.linear is None or given.limits is not None:
            raise NoChain("an activation of what is no layer")
        hidden = (*given.hidden, _Layer(given.last))
        count = len(given.linear[1])
        return Chain(hidden, (*given.activations, name), count, None, given.shape)

    def _gemm(self, node: Any, given: list[Any]) -> Chain:
        own = {
            one.name: (one.f if one.name in ("alpha", "beta") else one.i) for one in node.attribute
        }
        if own.get("alpha", 1.0) != 1.0 or own.get("beta", 1.0) != 1.0 or own.get("transA", 0):
            raise NoChain("Gemm with factors")
        x, matrix = given[0], given[1]
        if not isinstance(x, Chain) or not isinstance(matrix, np.ndarray):
            raise NoChain("Gemm of two values")
        weight = matrix if own.get("transB", 0) else matrix.T
        bias = given[2] if len(given) > 2 else None
        return self._linear(x, weight, bias, node)

    def _matmul(self, node: Any, given: list[Any]) -> Chain:
        x, matrix = given
        if not isinstance(x, Chain) or not isinstance(matrix, np.ndarray) or matrix.ndim != 2:
            raise NoChain("MatMul of two values")
        return self._linear(x, matrix.T, None, node)

    def _linear(self, x: Chain, weight: Array, bias: Any, node: Any) -> Chain:
        shape = self._shapes[node.output[0]]
        wide = bool(x.shape) and x.shape[-1] == x.width  # one row of all entries
        if x.linear is not None or x.limits is not None or not wide or weight.ndim != 2:
            raise NoChain("a layer of a layer")
        zeros = np.zeros(len(weight), dtype=weight.dtype)
        own = zeros if bias is None else _row(bias, len(weight))
        if weight.dtype != np.float32 or own.dtype != np.float32:
            raise NoChain("weights of another type")
        return Chain(x.hidden, x.activations, x.width, (np.ascontiguousarray(weight), own), shape)

    def _add(self, node: Any, given: list[Any]) -> Chain:
        x, bias = given if isinstance(given[0], Chain) else given[::-1]
        if (
            not isinstance(x, Chain)
            or not isinstance(bias, np.ndarray)
            or x.linear is None
            or x.limits is not None
        ):
            raise NoChain("Add of two values")
        weight, before = x.linear
        if before.any() or bias.dtype != np.float32 or self._shapes[node.output[0]] != x.shape:
            raise NoChain("a second bias")
        found: Chain = replace(x, linear=(weight, _row(bias, len(weight))))
        return found

    def _mul(self, node: Any, given: list[Any]) -> Chain:
        """x·σ(x), which is SiLU."""
        for x, gate in (given, given[::-1]):
            if isinstance(x, Chain) and isinstance(gate, Chain) and x.linear is not None:
                same = gate.linear is None and gate == replace(self._after(x, "sigmoid"))
                if same:
                    return self._after(x, "silu")
        raise NoChain("Mul")

    def _clip(self, node: Any, given: list[Any]) -> Chain:
        x = given[0]
        ends = [None if one is None else np.asarray(one) for one in given[1:]]
        if not isinstance(x, Chain) or x.linear is None or x.limits is not None or len(ends) != 2:
            raise NoChain("Clip")
        if any(end is None or end.size != 1 for end in ends):
            raise NoChain("Clip without both ends")
        low, high = (float(end.item()) for end in ends if end is not None)
        if not -LARGEST_LOG_STD <= low < high <= LARGEST_LOG_STD:
            raise NoChain("Clip to what is no range of log std")
        return replace(x, limits=(low, high))

    def _same(self, node: Any, given: list[Any]) -> Chain:
        """Nothing happens: a cast to float32 of float32, or a dropout in inference."""
        kind = next((one.i for one in node.attribute if one.name == "to"), None)
        if kind not in (None, self._onnx.TensorProto.FLOAT) or not isinstance(given[0], Chain):
            raise NoChain(node.op_type)
        return given[0]


class _Layer(tuple[torch.Tensor, torch.Tensor]):
    """A layer that is equal to another where its numbers are."""

    def __new__(cls, pair: Linear) -> _Layer:
        return super().__new__(cls, pair)

    def __eq__(self, other: object) -> bool:
        pairs = zip(self, other, strict=True) if isinstance(other, _Layer) else ()
        return isinstance(other, _Layer) and all(torch.equal(a, b) for a, b in pairs)

    def __hash__(self) -> int:
        return hash(tuple(one.shape for one in self))


def _row(bias: Any, size: int) -> Array:
    """A bias as a vector, where it is one number for each entry, or one for all."""
    array = np.asarray(bias)
    if array.size not in (1, size) or (array.ndim and array.shape[-1] != array.size):
        raise NoChain("a bias of another shape")
    return np.ascontiguousarray(np.broadcast_to(array.ravel(), (size,)))


def _split_sizes(node: Any) -> bool:
    return any(one.name in ("split", "num_outputs") for one in node.attribute)
