"""A reward that shuns violations, for training a base policy; no task and no certificate has it."""

from __future__ import annotations

from typing import Any

import gymnasium


class Cautious(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes ``caution`` times nearness off each step's reward.

    Nearness is 1 where ``signal`` holds. Where its value v is negative it is
    max(0, 1 + v / ``margin``), in the signal's unit; without a margin, or of a Boolean, 0.
    """

    def __init__(
        self, env: gymnasium.Env[Any, Any], signal: str, caution: float, margin: float = 0.0
    ) -> None:
        super().__init__(env)
        self.signal, self.caution, self.margin = signal, caution, margin

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, reward, terminated, truncated, info = self.env.step(action)
        near = nearness(info["signals"][self.signal], self.margin)
        return seen, float(reward) - self.caution * near, terminated, truncated, info


def nearness(value: bool | float, margin: float) -> float:
    """1 where the signal holds, falling to 0 at ``margin`` before it does.

    >>> nearness(0.3, 2.0), nearness(-0.5, 2.0), nearness(-3.0, 2.0), nearness(False, 2.0)
    (1.0, 0.75, 0.0, 0.0)
    """
    if isinstance(value, bool):
        return float(value)
    if value >= 0.0:
        return 1.0
    return max(0.0, 1.0 + value / margin) if margin > 0.0 else 0.0
