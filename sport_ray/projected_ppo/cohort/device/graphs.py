"""A few hundred kernel launches as one: CUDA graphs of what is done again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

_FIRST = 2
"""Calls before the capture: Triton compiles and libraries set themselves up on first use."""

ENABLED = True
"""False calls everything as it is, to look for errors or to measure what graphs are worth."""


class Captured:
    """An action on tensors of fixed places; on a GPU it is captured once and then replayed.

    It must read and write the same memory at each call and never wait for the device. The first
    calls are made as they are, so nothing is done that would have to be undone. On a CPU all are.
    """

    def __init__(self, action: Callable[[], None], device: torch.device) -> None:
        self._action = action
        self._calls = 0
        self._on_gpu = device.type == "cuda" and ENABLED
        self._graph: Any = None

    def __call__(self) -> None:
        """Do it once."""
        if self._graph is not None:
            self._graph.replay()
            return
        if not self._on_gpu:
            self._action()
        elif self._calls < _FIRST:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._action()
            torch.cuda.current_stream().wait_stream(side)
        else:
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._action()
            self._graph = graph
            graph.replay()
        self._calls += 1
