"""What is counted of one cell: steps, episodes, violations, and the last episodes' means."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Tally:
    """One cell's numbers, under the names that the single algorithm's results have.

    window: episodes that the means are taken over.
    """

    def __init__(self, window: int) -> None:
        self.env_steps = 0
        self.episodes = 0
        self.violations: int | None = None
        self._lengths = deque[int](maxlen=window)
        self._returns = deque[float](maxlen=window)
        self.metrics: dict[str, float] = {}
        """Of the last update."""

    def add(
        self, steps: int, finished: Sequence[tuple[int, float]], violations: int | None
    ) -> None:
        """What one runner sampled."""
        self.env_steps += steps
        self.episodes += len(finished)
        if violations is not None:
            self.violations = (self.violations or 0) + violations
        for length, total in finished:
            self._lengths.append(length)
            self._returns.append(total)

    def result(self) -> dict[str, float | int | None]:
        """All of it; None where there is nothing yet, or nothing is told."""

        def mean(values: Sequence[float]) -> float | None:
            return sum(values) / len(values) if values else None

        return {
            "num_env_steps_sampled_lifetime": self.env_steps,
            "num_episodes_lifetime": self.episodes,
            "num_violating_episodes_lifetime": self.violations,
            "episode_return_mean": mean(self._returns),
            "episode_len_mean": mean(self._lengths),
            **self.metrics,
        }
