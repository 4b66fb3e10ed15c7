"""A graph at one observation after the other, in float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.policies.graph.checked import read_graph, require_onnx, require_shapes
from sport_ray.policies.graph.exact import in_float64
from sport_ray.policies.graph.own_operators import own_operators
from sport_ray.policies.threads import one_thread

Array = NDArray[np.float64]


class GraphRows:
    """The outputs of a graph with one input, the observation (O,) or (1, O).

    By ONNX's reference evaluator, which is the standard's own account of each operator, but for
    those of :mod:`.own_operators`.

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
        self._evaluator = onnx.reference.ReferenceEvaluator(model, new_ops=own_operators())

    def __call__(self, observation: Array) -> Array:
        """All outputs side by side, (K,), at an observation (O,); NaN where one is not finite."""
        seen = np.ascontiguousarray(observation, dtype=np.float64).reshape(self._shape)
        with one_thread(), np.errstate(all="ignore"):
            found = self._evaluator.run(None, {self._input: seen})
        both: Array = np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in found])
        return both if np.isfinite(both).all() else np.full_like(both, np.nan)
