"""From an ONNX graph as it was exported to one observation in and a policy's numbers out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sport_ray.adapters.onnx_constants import fold
from sport_ray.errors import UserError
from sport_ray.policies.graph.checked import require_onnx, require_shapes

HALF = "half"
"""For log_std: the second half of the mean's output, as RLlib's modules put it."""


class Wanted(NamedTuple):
    """Names of outputs; None: the usual one.

    log_std: also a name of a constant in the file, "half", or the numbers themselves (nats).
    """

    mean: str | None = None
    log_std: str | tuple[float, ...] | None = None
    std: str | None = None
    logits: str | None = None


def canonical(
    source: str, model: Any, family: str, wanted: Wanted, *, several: bool = False
) -> Any:
    """A copy with one observation in, only the wanted outputs, and what they depend on.

    gaussian: mean and log std; categorical: logits, of which a softmax at the very end is taken
    off, which changes no probability. several: logits of more than one index.

    Raises:
        UserError: outputs that are not there, or whose meaning is not known; several inputs.
    """
    onnx = require_onnx()
    found = onnx.ModelProto()
    found.CopyFrom(model)
    graph = found.graph
    if family == "gaussian":
        names = _gaussian(source, graph, wanted)
    else:
        names = [_logits(source, graph, wanted, several)]
    _keep(graph, names)
    _one_observation(source, onnx, graph)
    del graph.output[:]
    for name in names:
        graph.output.append(onnx.ValueInfoProto(name=name))
        graph.output[-1].type.tensor_type.elem_type = graph.input[0].type.tensor_type.elem_type
    del graph.value_info[:]
    del found.metadata_props[:]
    graph.doc_string = found.doc_string = ""
    for node in graph.node:
        node.doc_string = ""  # torch writes the exporter's file names there
        del node.metadata_props[:]
    fold(found)
    names = [_computed(graph, name) for name in names]
    _keep(graph, names)
    for one, name in zip(graph.output, names, strict=True):
        one.name = name
    shapes = require_shapes(source, found)
    for one in graph.output:
        for size in shapes[one.name]:
            one.type.tensor_type.shape.dim.add().dim_value = size
        one.type.tensor_type.shape.SetInParent()
    return found


def _gaussian(source: str, graph: Any, wanted: Wanted) -> list[str]:
    outputs = [one.name for one in graph.output]
    if wanted.logits is not None:
        raise UserError(f"{source}: logits are a categorical policy's, not a Gaussian's")
    given = [one for one in ("log_std", "std") if one in outputs]
    log_std, std = wanted.log_std, wanted.std
    if log_std is None and std is None and len(given) == 1:
        log_std, std = (given[0], None) if given[0] == "log_std" else (None, given[0])
    if (log_std is None) == (std is None):
        raise UserError(
            f"{source} has the outputs {outputs}; which is the std? Call one of them log_std or "
            "std, or say --log-std (an output, a constant, 'half', or numbers) or --std"
        )
    others = [one for one in outputs if one not in (log_std, std)]
    mean = wanted.mean or ("mean" if "mean" in others else None)
    if mean is None and len(others) == 1:
        mean = others[0]
    if mean is None or mean not in outputs:
        raise UserError(f"{source} has the outputs {outputs}; which is the mean? Say --mean")
    if std is not None:
        _require_output(source, graph, std, "--std")
        return [mean, _logarithm(graph, std)]
    if log_std == HALF:
        return _halves(source, graph, mean)
    if isinstance(log_std, tuple):
        return [mean, _constant(graph, np.asarray(log_std, dtype=np.float32))]
    assert isinstance(log_std, str)
    if log_std not in outputs and log_std in {one.name for one in graph.initializer}:
        return [mean, _through(graph, "Identity", [log_std])]
    _require_output(source, graph, log_std, "--log-std")
    return [mean, log_std]


def _logits(source: str, graph: Any, wanted: Wanted, several: bool) -> str:
    outputs = [one.name for one in graph.output]
    if wanted.mean is not None or wanted.log_std is not None or wanted.std is not None:
        raise UserError(f"{source}: a categorical policy has no mean and no std: give --logits")
    name = wanted.logits or ("logits" if "logits" in outputs else None)
    if name is None and len(outputs) == 1:
        name = outputs[0]
    if name is None or name not in outputs:
        raise UserError(f"{source} has the outputs {outputs}; which are the logits? Say --logits")
    maker = next((node for node in graph.node if name in node.output), None)
    if maker is None or maker.op_type not in ("Softmax", "LogSoftmax"):
        return name
    what = f"{source} ends with {maker.op_type!r}"
    if several:
        raise UserError(f"{what}, over several indices at once: export what goes into it")
    shape = next(one for one in graph.output if one.name == name).type.tensor_type.shape.dim
    axis = next((one.i for one in maker.attribute if one.name == "axis"), None)
    # Without an axis it is the last one, or in old opsets all from axis 1 on: of one row the same.
    if len(shape) > 2 or axis not in (None, -1, len(shape) - 1):
        raise UserError(f"{what} along axis {axis}, not along the logits: export what goes into it")
    return str(maker.input[0])


def _require_output(source: str, graph: Any, name: str, option: str) -> None:
    outputs = [one.name for one in graph.output]
    if name not in outputs:
        raise UserError(f"{source} has no output {name!r} ({option}); it has {outputs}")


def _through(graph: Any, operator: str, inputs: list[str], **attributes: Any) -> str:
    """The output of a new node."""
    onnx = require_onnx()
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {one.name for field in (graph.initializer, graph.input) for one in field}
    name = next(
        one for i in range(len(taken) + 1) if (one := f"sport_ray_{operator}_{i}") not in taken
    )
    graph.node.append(onnx.helper.make_node(operator, inputs, [name], **attributes))
    return name


def _logarithm(graph: Any, std: str) -> str:
    """Log of an output; of exp(x) it is x."""
    maker = next((node for node in graph.node if std in node.output), None)
    if maker is not None and maker.op_type == "Exp":
        return str(maker.input[0])
    return _through(graph, "Log", [std])


def _constant(graph: Any, values: np.ndarray) -> str:
    onnx = require_onnx()
    return _through(graph, "Constant", [], value=onnx.numpy_helper.from_array(values))


def _computed(graph: Any, name: str) -> str:
    """An output that is a constant, by way of a node."""
    constants = {one.name for one in graph.initializer}
    return _through(graph, "Identity", [name]) if name in constants else name


def _halves(source: str, graph: Any, name: str) -> list[str]:
    """The two halves of an output's last axis."""
    size = next(one for one in graph.output if one.name == name).type.tensor_type.shape.dim
    width = size[-1].dim_value if size else 0
    if width < 2 or width % 2:
        raise UserError(f"{source}: the output {name!r} has {width} entries, which have no halves")
    axes, half = np.array([-1]), width // 2
    found = []
    for start in (0, half):
        bounds = [_constant(graph, np.array([one])) for one in (start, start + half)]
        found.append(_through(graph, "Slice", [name, *bounds, _constant(graph, axes)]))
    return found


def _keep(graph: Any, names: list[str]) -> None:
    """Drop nodes and constants that the wanted outputs do not depend on."""
    needed, kept = set(names), []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(filter(None, node.input))
            kept.append(node)
    copies = []
    for node in reversed(kept):
        copies.append(type(node)())
        copies[-1].CopyFrom(node)
    del graph.node[:]
    graph.node.extend(copies)
    for field in (graph.initializer, graph.input):
        for index in reversed(range(len(field))):
            if field[index].name not in needed:
                del field[index]


def _one_observation(source: str, onnx: Any, graph: Any) -> None:
    """Fix the input's shape to one observation."""
    constants = {one.name for one in graph.initializer}
    for index in reversed(range(len(graph.input))):
        if graph.input[index].name in constants:  # a default value: older files list them
            del graph.input[index]
    names = [one.name for one in graph.input]
    if len(names) != 1:
        raise UserError(f"{source}: the policy depends on the inputs {names}; expected one")
    kind = graph.input[0].type.tensor_type
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if not graph.input[0].type.HasField("tensor_type") or kind.elem_type not in floats:
        raise UserError(f"{source}: the input {names[0]!r} is no tensor of float32 or float64")
    dims = kind.shape.dim
    if len(dims) not in (1, 2) or not dims[-1].dim_value:
        raise UserError(
            f"{source}: the input {names[0]!r} has the shape {_shown(dims)}; expected (O,) or "
            "(batch, O) with a known O: images and several inputs are not supported"
        )
    if len(dims) == 2:
        if dims[0].HasField("dim_value") and dims[0].dim_value != 1:
            raise UserError(
                f"{source}: the input {names[0]!r} has the shape {_shown(dims)}, a batch of "
                f"{dims[0].dim_value}: export it for one observation or a dynamic batch"
            )
        dims[0].dim_value = 1


def _shown(dims: Any) -> str:
    return f"({', '.join(str(one.dim_value or one.dim_param or '?') for one in dims)})"
