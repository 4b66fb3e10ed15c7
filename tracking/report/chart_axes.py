"""Axes of the report's chart: from values to SVG units, and where ticks go."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WIDTH, HEIGHT = 520, 380
LEFT, RIGHT, TOP, BOTTOM = 66, 16, 14, 46
LOWEST = HEIGHT - BOTTOM
BETTER_X = 4
"""Where the word 'better' starts, in the corner below the axes; its arrow is above it."""
_ZERO_GAP = 0.14  # of the axis, between a rate of 0 and the smallest that is not


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis, in SVG units."""

    place: float
    label: str


@dataclass(frozen=True)
class RiskAxis:
    """Risk on a logarithmic axis from `low` to `high` (log10); a rate of 0 stands apart at `zero`.

    `zero` is in the same units, left of `low`, and None where no rate is 0.
    """

    low: float
    high: float
    zero: float | None

    @classmethod
    def of(cls, risks: np.ndarray) -> RiskAxis:
        """An axis on which all `risks` have a place, and the largest some room at its right."""
        positive = risks[risks > 0]
        logs = np.log10(positive) if positive.size else np.array([-3.0])
        low, high = float(logs.min()), float(logs.max())
        pad = max(0.07 * (high - low), 0.06)
        low, high = low - pad, max(min(high + 1.6 * pad, 0.0), high + 0.4 * pad)
        zero = low - _ZERO_GAP * (high - low) if positive.size < risks.size else None
        return cls(low, high, zero)

    @property
    def start(self) -> float:
        """Left end of the axis, log10."""
        return self.low if self.zero is None else self.zero - 0.06 * (self.high - self.low)

    def place(self, risk: float) -> float:
        """SVG x of a risk; beyond the axis its end."""
        value = self.start if risk <= 0 else math.log10(risk)
        if risk <= 0 and self.zero is not None:
            value = self.zero
        share = (value - self.start) / (self.high - self.start)
        return round(LEFT + float(min(max(share, 0.0), 1.0)) * (WIDTH - LEFT - RIGHT), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Powers of ten, with others if there are few; and 0, if it is there."""
        labelled = [Tick(self.place(v), f"{v:g}") for v in _log_ticks(self.low, self.high)]
        return (*([] if self.zero is None else [Tick(self.place(0.0), "0")]), *labelled)


@dataclass(frozen=True)
class ValueAxis:
    """Performance on a linear axis, larger values higher up."""

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> ValueAxis:
        """An axis on which all `values` have a place within a margin."""
        margin = 0.09 * (np.ptp(values) or 1.0)
        return cls(float(values.min() - margin), float(values.max() + margin))

    def place(self, value: float) -> float:
        """SVG y of a value; an interval may leave the axis, and ends where it does."""
        share = min(max((self.high - value) / (self.high - self.low), 0.0), 1.0)
        return round(TOP + float(share) * (HEIGHT - TOP - BOTTOM), 1)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Round values, about five of them."""
        return tuple(Tick(self.place(v), f"{v:g}") for v in _linear_ticks(self.low, self.high))


def better_path(sign: int) -> str:
    """The arrow to what is safer and better: to the left, and down where less is better (1)."""
    top, bottom = HEIGHT - 40, HEIGHT - 20
    tip, tail = (bottom, top) if sign > 0 else (top, bottom)
    back = 7 if sign < 0 else -7
    return f"M{BETTER_X + 30},{tail}L{BETTER_X + 8},{tip}m0,{back}V{tip}h8"


def _log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two decimal logarithms; with 3, or 2 and 5, if there are few.

    Where not even two of these are there, as around a single point, other round values.
    """
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    for leading in ((1,), (1, 3), (1, 2, 5)):
        ticks = [d * 10.0**p for p in powers for d in leading if low <= math.log10(d) + p <= high]
        if len(ticks) >= 3:
            break
    if len(ticks) < 2:
        return _linear_ticks(10.0**low, 10.0**high)
    return [float(f"{tick:.6g}") for tick in ticks]


def _linear_ticks(low: float, high: float) -> list[float]:
    """Round values between low and high, about five of them."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * d for d in (1, 2, 5, 10) if power * d >= raw)
    first = math.ceil(low / step)
    return [float(f"{i * step:.6g}") for i in range(first, math.floor(high / step) + 1)]
