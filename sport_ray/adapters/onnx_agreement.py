"""A policy made of an ONNX file beside the file itself, as its own users run it, in float32."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.adapters.onnx import OnnxPolicy
from sport_ray.errors import UserError
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.graph.checked import require_onnx

OBSERVATIONS = 256
SCALES = (0.1, 1.0, 3.0)
"""Standard deviations of the observations."""
LARGEST = 1e-2


class Agreement(NamedTuple):
    """The largest differences on random observations.

    runtime: what ran the file. first: of means (std) or log probabilities (nats); second: of log
    std (nats), None of indices. observations: how many.
    """

    runtime: str
    first: float
    second: float | None
    observations: int

    def text(self) -> str:
        """One line."""
        means = f"log probabilities {self.first:.2g} nats"
        if self.second is not None:
            means = f"means {self.first:.2g} std, log std {self.second:.2g} nats"
        return (
            f"largest difference from {self.runtime} in float32 on {self.observations} random "
            f"observations: {means}"
        )


def agreement(source: str, found: OnnxPolicy) -> Agreement:
    """Compare on observations drawn around 0, at three scales.

    Raises:
        UserError: a difference beyond what rounding explains, 0.01, or numbers that are not finite.
    """
    spec = found.network.spec
    generator = np.random.default_rng(0)
    scale = np.repeat(SCALES, OBSERVATIONS // len(SCALES) + 1)[:OBSERVATIONS, None]
    drawn = (scale * generator.normal(size=(OBSERVATIONS, spec.observation_size))).astype(
        np.float32
    )
    ours = FrozenPolicy(found.network).distribution(drawn)
    seen = drawn
    if spec.normalization is not None:
        seen = found.network.normalized(torch.from_numpy(drawn)).numpy()
    name, rows = _outputs(found.model, seen)
    second = None
    if spec.outcomes is None:
        mean, std = ours.arrays()
        first = float(np.max(np.abs(rows[0] - mean) / std))
        limits = spec.log_std_min, spec.log_std_max
        second = float(np.max(np.abs(np.clip(rows[1], *limits) - np.log(std))))
    else:
        pieces = np.split(rows[0], np.cumsum(spec.outcomes)[:-1], axis=1)
        logs = [piece - np.logaddexp.reduce(piece, axis=1, keepdims=True) for piece in pieces]
        held: Any = ours
        mine = held.log_probs().numpy()
        # What no grid of 2^-52 shows is drawn by neither.
        shown = np.isfinite(mine) & (np.concatenate(logs, axis=1) > -30.0)
        first = float(np.max(np.abs(np.concatenate(logs, axis=1) - mine)[shown], initial=0.0))
    told = Agreement(name, first, second, OBSERVATIONS)
    if not max(first, second or 0.0) <= LARGEST:
        raise UserError(
            f"{source}: {told.text()}: more than rounding explains ({LARGEST}): "
            "the graph has a jump, or loses its numbers in float32"
        )
    return told


def _outputs(model: Any, seen: NDArray[Any]) -> tuple[str, list[NDArray[np.float64]]]:
    """The runtime's name, and each output (n, ·), one observation after the other."""
    onnx = require_onnx()
    (given,) = model.graph.input
    shape = [one.dim_value for one in given.type.tensor_type.shape.dim]
    double = given.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    kind = np.float64 if double else np.float32
    name, run = _runtime(onnx, model)
    found = [run({given.name: one.astype(kind).reshape(shape)}) for one in seen]
    columns = zip(*found, strict=True)
    return name, [np.stack([np.asarray(c, np.float64).ravel() for c in one]) for one in columns]


def _runtime(onnx: Any, model: Any) -> tuple[str, Any]:
    try:
        import onnxruntime
    except ImportError:
        evaluator = onnx.reference.ReferenceEvaluator(model)
        return "ONNX's reference evaluator", lambda inputs: evaluator.run(None, inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception:  # it lacks an operator in this type, or is older than the file
        evaluator = onnx.reference.ReferenceEvaluator(model)
        return "ONNX's reference evaluator", lambda inputs: evaluator.run(None, inputs)
    return "onnxruntime", lambda inputs: session.run(None, inputs)
