"""How far an agent is from what would cost it."""

from __future__ import annotations

import math
from typing import Any


def clearance(task: Any) -> float:
    """Smallest distance (m) from the agent's origin to the rim of something that costs.

    Rims are circles of the object's ``size`` around its centre; walls of Circle and Run are lines.
    Below 0 inside of one; +inf where nothing costs. A contact costs at a clearance of about the
    agent's own radius.
    """
    x, y = (float(value) for value in task.agent.pos[:2])
    nearest = math.inf
    for obstacle in task._obstacles:
        if not obstacle.is_constrained:
            continue
        if obstacle.name == "sigwalls":
            beyond = max(abs(x), abs(y)) if obstacle.num == 4 else abs(x)
            nearest = min(nearest, obstacle.locate_factor - beyond)
            continue
        wanted = getattr(obstacle, "goal_button", None)  # the one button that may be pressed
        for index, (there_x, there_y, _) in enumerate(obstacle.pos):
            if index != wanted:
                distance = math.hypot(there_x - x, there_y - y) - obstacle.size
                nearest = min(nearest, distance)
    return nearest


def nearness(task: Any, margin: float) -> float:
    """max(0, 1 − clearance/margin), at most 1: 0 from ``margin`` metres on, 1 at the rim."""
    left = clearance(task)
    if margin <= 0:
        return float(left <= 0)
    return min(1.0, max(0.0, 1.0 - left / margin))
