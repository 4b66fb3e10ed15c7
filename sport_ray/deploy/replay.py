"""A logged episode played again from a bundle: the same distributions, the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_lines import StepLine
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.seeds import stream
from sport_ray.families import Distribution

Array = NDArray[np.float64]


class Replay:
    """Computes a log's steps again, from their observations and the seeds of their episodes.

    damaged: whether the policy had been loaded without its task policy.
    """

    def __init__(self, bundle: Bundle, damaged: bool) -> None:
        self._bounds = bundle.bounds
        self._spec = bundle.base.spec
        self._base, self._task = bundle.behaviours()
        self._damaged = damaged or bundle.task is None

    def reset(self, words: Sequence[int]) -> None:
        """The generator of an episode."""
        self._words = tuple(words)
        self.go_on(0)

    def go_on(self, number: int) -> None:
        """The generator after a draw of which no action came."""
        self._random = stream(self._words, number)

    def check(
        self, line: StepLine, chosen: Distribution, base: Distribution, drawn: Array, state: Array
    ) -> str | None:
        """What does not agree with the log, in words; None where all does.

        chosen, base, drawn: the log's, of one row. state: of the constraint before it, (1, S).
        """
        noise = self._spec.family.draw_noise(self._random, 1, self._spec.action_size)
        if not np.array_equal(chosen.sample(noise), drawn):
            return "its action is not what the episode's seed draws"
        observation = np.frombuffer(bytes.fromhex(line.observation), "<f4").astype(np.float64)
        low, high = self._bounds
        if observation.shape != low.shape:
            return "its observation has another size"
        outside = (observation < low) | (observation > high)
        if outside.any() and line.breach is None:
            return "its observation is outside of the observation space and it does not say so"
        own = self._base.step(observation[None], state).chosen
        if not own.agrees(base, own).all():
            return "its base policy is not the bundle's"
        if line.played == "base" and (self._damaged or line.breach is not None):
            return None
        if self._task is None:
            return "the bundle has no task policy"
        try:
            found = self._task.step(observation[None], state)
        except (ArithmeticError, ValueError):
            return None if line.played == "base" else "its task policy gives no distribution"
        if line.played == "base":
            return "the base policy acted where the task policy was to"
        if not found.chosen.agrees(chosen, own).all():
            return "its task policy is not the bundle's"
        return None
