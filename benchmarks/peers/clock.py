"""What an engine measured, and how."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measured:
    """``count`` steps (or scenarios, or operations) in ``seconds``.

    ``cpu``: seconds that this process had a core meanwhile; ``others``: numbers by name.
    """

    count: float
    seconds: float
    cpu: float | None = None
    others: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Per second."""
        return self.count / self.seconds

    def to_json(self) -> dict[str, Any]:
        """For the pipe between the processes."""
        return asdict(self)


def repeated(advance: Callable[[], float], seconds: float) -> Measured:
    """``advance`` over and over, at least once, until so many seconds are over."""
    started, cpu = time.perf_counter(), time.process_time()
    count, taken = 0.0, 0.0
    while taken < seconds or not count:
        count += advance()
        taken = time.perf_counter() - started
    return Measured(count, taken, time.process_time() - cpu)
