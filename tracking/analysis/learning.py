"""Learning curves of a study's settings: over its seeds a median and a range at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sport_ray.errors import UserError
from sport_ray.tracking.results.curves import QUANTITIES, Curves, read_curves
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.table import plain_rows

AXES = ("iteration", "env_steps")
"""What counts how far training is, and is no curve."""
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Band:
    """Of a quantity at each place: the seeds' median, and the smallest and the largest of them."""

    low: Array
    median: Array
    high: Array


@dataclass(frozen=True, eq=False)
class SettingCurves:
    """One training, over seeds, of one or more settings: their places among rows of `aggregate`.

    A policy that serves several settings was trained once. bands: per quantity, of those that some
    seed has. env_steps: (P,), evenly spaced, the same for all. seeds: whose training left curves.
    """

    settings: tuple[int, ...]
    seeds: int
    env_steps: Array
    bands: dict[str, Band]


@dataclass(frozen=True)
class Learning:
    """Settings with curves, in the order of `aggregate`, and what could not be read."""

    settings: tuple[SettingCurves, ...] = ()
    problems: tuple[str, ...] = field(default=())


def learning_of(
    files: ResultFolder, frame: pd.DataFrame, settings: pd.DataFrame, most: int
) -> Learning:
    """The curves of every setting whose training left some, at most so many places each.

    A file that is damaged is named in `problems` and left out.
    """
    number = {_key(row): index for index, row in enumerate(plain_rows(settings))}
    runs: dict[int, dict[str, Curves]] = {}  # of a setting, by policy
    problems: list[str] = []
    for row in plain_rows(frame[frame["status"] == "finished"]):
        try:
            curves = read_curves(files, row["cell_id"])
        except UserError as error:
            problems.append(str(error))
            continue
        if curves is not None:
            runs.setdefault(number[_key(row)], {})[row["policy_digest"]] = curves
    alike: dict[tuple[str, ...], list[int]] = {}
    for setting in sorted(runs):
        alike.setdefault(tuple(sorted(runs[setting])), []).append(setting)
    found = (_summary(same, [*runs[same[0]].values()], most) for same in alike.values())
    return Learning(tuple(found), tuple(problems))


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SETTING)


def _summary(settings: Sequence[int], seeds: Sequence[Curves], most: int) -> SettingCurves:
    steps = [one["env_steps"] for one in seeds]
    count = min(most, max(map(len, steps)))
    # Seeds overshoot by a few steps each: within what all of them have.
    places = np.linspace(max(one[0] for one in steps), min(one[-1] for one in steps), count)
    bands = {}
    for name in QUANTITIES:
        if name in AXES:
            continue
        values = [
            np.interp(places, at[known], one[name][known])
            for one, at in zip(seeds, steps, strict=True)
            if (known := np.isfinite(one[name]) & np.isfinite(at)).any()
        ]
        if values:
            table = np.stack(values)
            bands[name] = Band(table.min(axis=0), np.median(table, axis=0), table.max(axis=0))
    return SettingCurves(tuple(settings), len(seeds), places, bands)
