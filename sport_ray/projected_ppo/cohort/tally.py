"""What is counted of one cell: steps, episodes, violations, and the last episodes' means."""

from __future__ import annotations

from collections.abc import Sequence


class Tally:
    """One cell's numbers, under the names that the single algorithm's results have.

    window: the last episodes of an iteration that means are taken over.
    """

    def __init__(self, window: int) -> None:
        self.env_steps = 0
        self.episodes = 0
        self.violations: int | None = None
        self._window = window
        self._finished: list[tuple[int, float]] = []  # of this iteration
        self.metrics: dict[str, float] = {}
        """Of the last update."""

    def begin(self) -> None:
        """A new iteration: as in RLlib's results, means are over its own episodes."""
        self._finished = []

    def add(
        self, steps: int, finished: Sequence[tuple[int, float]], violations: int | None
    ) -> None:
        """What one runner sampled."""
        self.env_steps += steps
        self.episodes += len(finished)
        if violations is not None:
            self.violations = (self.violations or 0) + violations
        self._finished += finished

    def result(self) -> dict[str, float | int | None]:
        """All of it; None where there is nothing yet, or nothing is told."""
        last = self._finished[-self._window :]
        length, total = map(sum, zip(*last, strict=True)) if last else (0.0, 0.0)
        return {
            "num_env_steps_sampled_lifetime": self.env_steps,
            "num_episodes_lifetime": self.episodes,
            "num_violating_episodes_lifetime": self.violations,
            "episode_return_mean": total / len(last) if last else None,
            "episode_len_mean": length / len(last) if last else None,
            **self.metrics,
        }
