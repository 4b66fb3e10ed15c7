"""A graph where a policy has its layers: the same interface to heads, files and scenarios."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sport_ray.policies.graph.rows import GraphRows

NAME = "graph"
"""Of the buffer: a file's weights hold it as ``body.graph``, the bytes of an ONNX file."""


class GraphBody(nn.Module):
    """Observations (..., O) → outputs (..., K), one row at a time, in float64.

    Its bytes are its weights. Nothing of it is learned, and no gradient goes through it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer(NAME, torch.zeros(0, dtype=torch.uint8))
        self._rows: GraphRows | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the evaluator, which another process makes for itself."""
        return {**self.__dict__, "_rows": None}

    @property
    def data(self) -> bytes:
        """The ONNX file."""
        found: Tensor = self.graph
        return found.cpu().numpy().tobytes()

    def rows(self, source: str = "the policy's graph") -> GraphRows:
        """What evaluates it, made when it is first asked for.

        Raises:
            UserError: bytes that are refused, or ``onnx`` is not there.
        """
        if self._rows is None:
            self._rows = GraphRows(source, self.data)
        return self._rows

    def forward(self, observation: Tensor) -> Tensor:
        """In the observations' dtype; a row of NaN where an output is not finite."""
        rows = self.rows()
        flat = observation.detach().cpu().double().reshape(-1, rows.observation_size).numpy()
        found = np.empty((len(flat), sum(rows.sizes)))
        for index, one in enumerate(flat):
            found[index] = rows(one)
        return torch.from_numpy(found).reshape(*observation.shape[:-1], -1).to(observation)

    def _load_from_state_dict(self, state: Any, prefix: str, *others: Any) -> None:
        key = prefix + NAME
        if isinstance(given := state.get(key), Tensor):
            if given.dtype != torch.uint8 or given.ndim != 1:
                raise RuntimeError(f"{key} is {given.dtype} of {given.ndim} dimensions, not bytes")
            self.graph = torch.zeros_like(given, device="cpu")
            self._rows = None
        super()._load_from_state_dict(state, prefix, *others)


def body_of(data: bytes) -> GraphBody:
    """The body that an ONNX file's bytes are."""
    body = GraphBody()
    body.graph = torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())
    return body
