"""A logged episode played again from a bundle: the same Gaussians, the same draws."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.rules import Gaussians
from sport_ray.deploy.seeds import stream

Array = NDArray[np.float64]
NEAR, UNITS = 1e-5, 8.0 * 2.0**-23
"""Relative to the std, and to the mean: another processor may round a few units otherwise."""


class Replay:
    """Computes a log's steps again, from their observations and the seeds of their episodes."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def reset(self, words: list[int]) -> None:
        """The generator of an episode."""
        self._words = tuple(words)
        self.go_on(0)

    def go_on(self, number: int) -> None:
        """The generator after a draw of which no action came."""
        self._random = stream(self._words, number)

    def check(
        self, record: dict[str, Any], step: Gaussians, drawn: Array, left: float, limit: float,
        damaged: bool,
    ) -> str | None:  # fmt: skip
        """What does not agree with the log, in words; None where all does.

        damaged: whether the policy had been loaded without its task policy.
        """
        noise = self._random.standard_normal(self.bundle.base.action_size)
        if not np.array_equal(step.mean + step.std * noise, drawn):
            return "its action is not what the episode's seed draws"
        observation = np.frombuffer(bytes.fromhex(record["observation"]), "<f4").astype(np.float64)
        if observation.shape != (self.bundle.base.observation_size,):
            return "its observation has another size"
        outside = (observation < self.bundle.bounds.low) | (observation > self.bundle.bounds.high)
        if outside.any() and "breach" not in record:
            return "its observation is outside of the observation space and it does not say so"
        base = self.bundle.base.distribution(observation)
        if not _near(base, (step.base_mean, step.base_std), base):
            return "its base policy is not the bundle's"
        task, rule = self.bundle.task, self.bundle.rule
        if record["played"] == "base" and (damaged or task is None or "breach" in record):
            return None
        if task is None:
            return "the bundle has no task policy"
        seen = observation
        if task.observation_size > len(observation):
            seen = np.concatenate((observation, rule.seen(limit, left)))
        own = (step.base_mean, step.base_std)
        try:
            projected = rule.project(own, task.distribution(seen), limit)
        except ArithmeticError:
            return None if record["played"] == "base" else "its task policy gives no Gaussian"
        if record["played"] == "base":
            mean, std = (np.asarray(x) for x in projected)
            fits = rule.reached(Gaussians(mean, std, *own)) <= limit
            return "the base policy acted where the task policy was to" if fits else None
        if not _near(projected, (step.mean, step.std), base):
            return "its task policy is not the bundle's"
        return None


def _near(mine: Any, theirs: Any, base: tuple[Array, Array]) -> bool:
    allowed = NEAR * base[1] + UNITS * np.abs(base[0])
    return all((np.abs(np.asarray(a) - b) <= allowed).all()
               for a, b in zip(mine, theirs, strict=True))  # fmt: skip
