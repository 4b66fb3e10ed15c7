"""What a critic is learned from: steps of episodes, with draws of the base at each state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sport_ray.errors import UserError


@dataclass(frozen=True)
class CriticData:
    """Steps of episodes, a row each, in any order.

    observation: (m, O). action: (m, D), as the sampler gave it. candidates: (m, C, D), fresh
    draws of the base at the observation, independent of the action. reward: (m,), −1 each for
    remaining steps. following: (m,) int64, the row of the episode's next step; −1 at its end.
    failed: (m,) bool, at an end: violated, or did not get there. step: (m,) int64, steps taken
    before.

    An end that did not fail has no return after its own reward. The steps may come from any
    policy where a critic learns from its own laws; what followed tells only of who acted there.

    Raises:
        UserError: no row, shapes that differ, numbers that are not finite, or a following row that
            is not one.
    """

    observation: NDArray[np.float32]
    action: NDArray[np.float32]
    candidates: NDArray[np.float32]
    reward: NDArray[np.float32]
    following: NDArray[np.int64]
    failed: NDArray[np.bool_]
    step: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.observation)
        if not count:
            raise UserError("critic data: none; collect some episodes of the base first")
        for name in ("action", "candidates", "reward", "following", "failed", "step"):
            given = getattr(self, name)
            if len(given) != count:
                raise UserError(f"critic data: {name} has {len(given)} rows, observation {count}")
        if self.candidates.ndim != 3 or self.candidates.shape[2:] != self.action.shape[1:]:
            raise UserError(
                f"critic data: candidates have shape {self.candidates.shape}, actions "
                f"{self.action.shape}: expected (m, C, D) and (m, D)"
            )
        for name in ("observation", "action", "candidates", "reward"):
            if not np.isfinite(getattr(self, name)).all():
                raise UserError(f"critic data: {name} holds numbers that are not finite")
        next_one = self.following
        if next_one.min() < -1 or next_one.max() >= count:
            raise UserError(f"critic data: following must lie in -1 … {count - 1}")
        if (self.failed & (next_one >= 0)).any():
            raise UserError("critic data: failed is True at a row that is not an episode's end")

    def __len__(self) -> int:
        return len(self.observation)

    @classmethod
    def concatenate(cls, parts: Sequence[CriticData]) -> CriticData:
        """One table from several, in their order; episodes stay within their part.

        Raises:
            UserError: parts of different sizes.
        """
        first = np.cumsum([0, *(len(part) for part in parts)])
        columns = {}
        for name in (field.name for field in fields(cls)):
            values = [getattr(part, name) for part in parts]
            if len({value.shape[1:] for value in values}) > 1:
                raise UserError(f"critic data: {name} differs in shape between the parts")
            columns[name] = np.concatenate(values)
        shift = np.repeat(first[:-1], [len(part) for part in parts])
        following = columns["following"]
        columns["following"] = np.where(following < 0, -1, following + shift)
        return cls(**columns)

    def outcomes(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """What followed each row: the sum of rewards to the end (m,), and whether it failed (m,).

        Raises:
            UserError: rows that follow each other in a circle.
        """
        total = self.reward.astype(np.float64)
        failed = self.failed.copy()
        previous = np.full(len(self), -1, dtype=np.int64)
        inner = np.flatnonzero(self.following >= 0)
        previous[self.following[inner]] = inner
        if len(inner) != int((previous >= 0).sum()):
            raise UserError("critic data: two rows have the same following row")
        rows, seen = np.flatnonzero(self.following < 0), 0
        while len(rows):  # one step back in all episodes at once
            seen += len(rows)
            before = previous[rows]
            kept = before >= 0
            rows, after = before[kept], rows[kept]
            total[rows] += total[after]
            failed[rows] = failed[after]
        if seen != len(self):
            raise UserError("critic data: some rows belong to an episode without an end")
        return total, failed
