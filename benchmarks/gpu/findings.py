"""What was found on a device: told at once and kept; and what must not be."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

LINES: list[tuple[str, str]] = []
"""All that was said: what, and what was found."""
FAILED: list[str] = []
"""What must not be, and was."""


def say(what: str, found: str) -> None:
    """A line of the table, shown at once."""
    LINES.append((what, found))
    print(f"{what:<58} {found}", flush=True)


def require(holds: bool, what: str) -> None:
    """Note what must not be."""
    if not holds:
        FAILED.append(what)
        say("FAILED", what)


def wait(place: torch.device) -> None:
    """For all that was launched."""
    if place.type == "cuda":
        torch.cuda.synchronize()


def seconds(act: Callable[[], object], place: torch.device, times: int = 5) -> float:
    """Median of repeated calls after a first one."""
    act()
    wait(place)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        wait(place)
        found.append(time.perf_counter() - start)
    return float(np.median(found))
