"""Which of Safety-Gymnasium's tasks can be made."""

from __future__ import annotations

AGENTS = ("Point", "Car", "Doggo", "Racecar", "Ant")
TASKS = (
    *(f"{name}{level}" for name in ("Goal", "Button", "Push", "Circle") for level in (0, 1, 2)),
    "Run0",
)
"""Not the vision tasks (the wheel lacks their pictures), nor Velocity (no Builder)."""
