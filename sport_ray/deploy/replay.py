"""A logged episode played again from a bundle: the same Gaussians, the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_lines import StepLine
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.seeds import stream
from sport_ray.deploy.step import Gaussians

Array = NDArray[np.float64]
NEAR, UNITS = 1e-5, 8.0 * 2.0**-23
"""Relative to the std, and to the mean: another processor may round a few units otherwise."""


class Replay:
    """Computes a log's steps again, from their observations and the seeds of their episodes.

    damaged: whether the policy had been loaded without its task policy.
    """

    def __init__(self, bundle: Bundle, damaged: bool) -> None:
        self._bounds = bundle.bounds
        self._size = bundle.base.spec.action_size
        self._base, self._task = bundle.behaviours()
        self._damaged = damaged or bundle.task is None

    def reset(self, words: Sequence[int]) -> None:
        """The generator of an episode."""
        self._words = tuple(words)
        self.go_on(0)

    def go_on(self, number: int) -> None:
        """The generator after a draw of which no action came."""
        self._random = stream(self._words, number)

    def check(self, line: StepLine, step: Gaussians, drawn: Array, state: Array) -> str | None:
        """What does not agree with the log, in words; None where all does.

        state: of the constraint before the step, (1, S).
        """
        noise = self._random.standard_normal(self._size)
        if not np.array_equal(step.mean + step.std * noise, drawn):
            return "its action is not what the episode's seed draws"
        observation = np.frombuffer(bytes.fromhex(line.observation), "<f4").astype(np.float64)
        low, high = self._bounds
        if observation.shape != low.shape:
            return "its observation has another size"
        outside = (observation < low) | (observation > high)
        if outside.any() and line.breach is None:
            return "its observation is outside of the observation space and it does not say so"
        base = self._base.step(observation[None], state)
        allowed = NEAR * base.std + UNITS * np.abs(base.mean)

        def near(mine: tuple[Array, Array], theirs: tuple[Array, Array]) -> bool:
            return all((np.abs(a - b) <= allowed).all() for a, b in zip(mine, theirs, strict=True))

        if not near((base.mean, base.std), (step.base_mean, step.base_std)):
            return "its base policy is not the bundle's"
        if line.played == "base" and (self._damaged or line.breach is not None):
            return None
        if self._task is None:
            return "the bundle has no task policy"
        try:
            found = self._task.step(observation[None], state)
        except (ArithmeticError, ValueError):
            return None if line.played == "base" else "its task policy gives no Gaussian"
        if line.played == "base":
            return "the base policy acted where the task policy was to"
        if not near((found.mean, found.std), (step.mean, step.std)):
            return "its task policy is not the bundle's"
        return None
