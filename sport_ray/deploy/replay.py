"""A logged episode played again from a bundle: the same distributions, the same draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sport_ray.deploy.audit_lines import StepLine
from sport_ray.deploy.bundle import Bundle
from sport_ray.deploy.seeds import stream
from sport_ray.errors import UserError
from sport_ray.families import Distribution

Array = NDArray[np.float64]
NEAR = 1e-6
"""Relative: a few units in the last place of float32."""


class Replay:
    """Computes a log's steps again, from their observations and the seeds of their episodes.

    damaged: whether the policy had been loaded without its task policy.

    Raises:
        UserError: a sampler of the user's that has changed, or that is not to be run.
    """

    def __init__(self, bundle: Bundle, damaged: bool) -> None:
        self._bounds = bundle.bounds
        plays = bundle.without_task() if damaged else bundle
        self._actors = [part.behaviours() for part in plays.each]
        self._base, self._task = self._actors[0]
        self._damaged = self._task is None
        self._first = bundle.first_memory()
        self._memory = self._first

    def reset(self, words: Sequence[int], part: int = 0) -> None:
        """The generator of an episode, and who acts in it: of a mixture the part that it drew."""
        self._base, self._task = self._actors[part]
        self._words, self._memory = tuple(words), self._first
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
        observation = np.frombuffer(bytes.fromhex(line.observation), "<f4").astype(np.float64)
        low, high = self._bounds
        if observation.shape != low.shape:
            return "its observation has another size"
        actor = self._base if self._task is None else self._task
        try:
            draws = actor.draw(observation[None], [self._random])
        except UserError as error:
            return f"its base policy gives no action: {error}"
        if not np.array_equal(chosen.sample(draws.noise), drawn):
            return "its action is not what the episode's seed draws"
        if (problem := _of_candidates(line, draws.candidates)) is not None:
            return problem
        outside = (observation < low) | (observation > high)
        if outside.any() and line.breach is None:
            return "its observation is outside of the observation space and it does not say so"
        state = np.concatenate([state, self._memory], axis=1)
        base_step = self._base.step(observation[None], state, draws)
        own, after = base_step.chosen, base_step.memory
        self._memory = self._memory if after is None else after
        if not own.agrees(base, own).all():
            return "its base policy is not the bundle's"
        if line.played == "base" and (self._damaged or line.breach is not None):
            return None
        if self._task is None:
            return "the bundle has no task policy"
        try:
            found = self._task.step(observation[None], state, draws, np.array([line.step]))
        except (ArithmeticError, ValueError):
            return None if line.played == "base" else "its task policy gives no distribution"
        if line.played == "base":
            return "the base policy acted where the task policy was to"
        if not found.chosen.agrees(chosen, own).all():
            return "its task policy is not the bundle's"
        return None


def _of_candidates(line: StepLine, candidates: Array | None) -> str | None:
    """Whether the action on record is the candidate, (1, M, D) drawn again, that its index names.

    Up to what another processor rounds otherwise in a base policy's float32 numbers.
    """
    if line.candidates is None or line.action is None:
        return None if candidates is None else "it chooses among no candidates"
    if candidates is None or candidates.shape[1] != line.candidates:
        return f"its policy does not choose among {line.candidates} candidates"
    drawn, stated = candidates[0, int(line.drawn[0])], np.array(line.action)
    if stated.shape != drawn.shape or not (abs(stated - drawn) <= NEAR * (1.0 + abs(drawn))).all():
        return "its action is not the candidate that its index names"
    return None
