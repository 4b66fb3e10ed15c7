"""A simulator that takes its time: a point on a line, a twentieth of a second a step.

Its id names the module, so that a worker process imports it from the root of the repository.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

ENV_ID = "slow_simulator/Line-v0"
NAMED = f"tests.slow_simulator:{ENV_ID}"


class Line(gymnasium.Env[np.ndarray, np.ndarray]):
    """x += 0.1 a + noise; the hazard lies above 1. An episode has ``horizon`` steps, or ends there.

    seconds: of a step. start: seconds that it takes to be made. book: a folder in which copies
    write down when they were made and closed, by process.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,), dtype=np.float64)
    action_space = spaces.Box(-np.inf, np.inf, (1,), dtype=np.float32)

    def __init__(
        self, horizon: int, seconds: float = 0.05, start: float = 0.0, book: str | None = None
    ) -> None:
        self.horizon, self.seconds, self.book = horizon, seconds, book
        time.sleep(start)
        self._tell("made")

    def _tell(self, what: str) -> None:
        if self.book is not None:
            with (Path(self.book) / f"{os.getpid()}.txt").open("a") as file:
                file.write(f"{time.monotonic():.6f} {what}\n")

    def _seen(self) -> tuple[np.ndarray, dict[str, Any]]:
        seen = np.array([self.x, self.steps / self.horizon])
        return seen, {"signals": {"hazard": self.x - 1.0}}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start near 0."""
        super().reset(seed=seed)
        self.x, self.steps = 0.1 * float(self.np_random.normal()), 0
        return self._seen()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Sleep, then move."""
        time.sleep(self.seconds)
        self.x += 0.1 * float(action[0]) + 0.1 * float(self.np_random.normal())
        self.steps += 1
        seen, info = self._seen()
        return seen, -abs(self.x), self.x >= 1.0, self.steps >= self.horizon, info

    def close(self) -> None:
        """Write it down."""
        self._tell("closed")


gymnasium.register(ENV_ID, f"{__name__}:Line", disable_env_checker=True)
