"""The distributions' numbers of a policy whose body is a graph, as a fixed function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.policies.graph.body import GraphBody
from sport_ray.policies.sealed import Sealed

KEPT = 64
"""Rows that are remembered: who draws, who scores and who audits ask for the same ones."""


class GraphPolicy(Sealed):
    """Numbers of observations, each computed by itself, so that a row has no companions.

    network: float64, with a graph as its body.
    """

    def __init__(self, network: Any) -> None:
        assert isinstance(network.body, GraphBody)
        self._network = network
        self._kept: dict[bytes, NDArray[np.float32]] = {}

    def numbers(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """The distributions' numbers (n, P) at observations (n, O), rounded to float32."""
        found = np.empty((len(observations), self._network.spec.head.size), dtype=np.float32)
        for index, one in enumerate(observations):
            found[index] = self._of(one)
        return found

    def _of(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        key = observation.tobytes()
        numbers = self._kept.get(key)
        if numbers is None:
            row = torch.from_numpy(observation.astype(np.float64))[None]
            with torch.no_grad(), np.errstate(all="ignore"):
                output = self._network.body(self._network.features(row))
                if bool(torch.isfinite(output).all()):
                    numbers = self._network.of_outputs(output).numbers[0].numpy()
                else:  # no law is made of it; who asked says at which observation
                    numbers = np.full(self._network.spec.head.size, np.nan)
            numbers = numbers.astype(np.float32)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = numbers
        return numbers
