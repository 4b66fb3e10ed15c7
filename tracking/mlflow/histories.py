"""Learning curves as histories of metrics, over environment steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sport_ray.tracking.results.curves import QUANTITIES, Curves

if TYPE_CHECKING:
    from mlflow.entities import Metric

PREFIX = "training/"
"""In front of each: MLflow's charts put what has it into a section of its own."""
POINTS = 16
"""Of a history at most: a row each in the store, and its time; the artefact has the whole curve."""
HISTORIES = tuple(name for name in QUANTITIES if name not in ("iteration", "env_steps"))


def histories(curves: Curves, started: int, ended: int) -> list[Metric]:
    """A metric for each quantity and point that is known; its step counts environment steps.

    started, ended: of the cell, milliseconds since 1970; points lie between them by their steps, so
    that the same curves are the same rows, and sent twice they are stored once.
    """
    from mlflow.entities import Metric

    steps = curves["env_steps"]
    last = float(steps[-1]) or 1.0
    found = []
    for at in points(len(curves)):
        step = int(steps[at])
        time = round(started + (ended - started) * step / last)
        for name in HISTORIES:
            value = float(curves[name][at])
            if math.isfinite(value):
                found.append(Metric(PREFIX + name, value, time, step))
    return found


def points(length: int) -> list[int]:
    """Which of so many points are sent, evenly: the last one always.

    >>> points(3), points(64)[:3], points(64)[-1], len(points(1000))
    ([0, 1, 2], [3, 7, 11], 63, 16)
    """
    count = min(length, POINTS)
    return [int(one) for one in np.ceil(np.arange(1, count + 1) * length / count) - 1]
