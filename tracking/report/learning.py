"""The learning curves of the page: which quantities have a panel, and the numbers behind them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.answer import Answer
from sport_ray.tracking.analysis.learning import Band, Learning, learning_of
from sport_ray.tracking.report.rows import kind_class
from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.table import plain_rows

TITLES = {
    "mean_return": "Return",
    "mean_length": "Episode length, steps",
    "violations": "Violations so far, episodes",
    "projected_share": "Share of steps projected",
    "mean_log_ratio": "Log ratio to the base, mean, nats",
    "kl_to_base": "KL to the base, nats",
    "task_distance": "KL to the unprojected policy, nats",
    "budget_left": "Budget left, share",
    "entropy": "Entropy, nats",
    "policy_loss": "Loss of the policy",
    "value_loss": "Loss of the critic",
}
"""Quantities that have a panel, in this order."""
AT_FIRST = 6
"""Settings that are shown before the reader chooses."""
MANY, PLACES, FEWER_PLACES = 60, 40, 24
"""From so many settings on each has fewer places, so that the page stays small."""


@dataclass(frozen=True)
class LearningView:
    """`panels`: quantities and titles. `settings`: trainings, with the settings that each is of.

    data: for the script, by the first of these: ends of the steps, and per quantity
    [low, median, high].
    """

    panels: tuple[tuple[str, str], ...]
    settings: tuple[dict[str, Any], ...]
    data: dict[str, Any]
    problems: tuple[str, ...]


def learning_view(
    folder: Results, frame: pd.DataFrame, settings: pd.DataFrame, answer: Answer
) -> LearningView | None:
    """What the page shows; None where no training left its curves."""
    most = PLACES if len(settings) < MANY else FEWER_PLACES
    found = learning_of(folder.files, frame, settings, most)
    if not found.settings and not found.problems:
        return None
    rows = plain_rows(settings)
    chosen = _chosen(found, answer)
    one_horizon = settings["horizon"].nunique() == 1
    shown = []
    for one in found.settings:
        here = [rows[setting] for setting in one.settings]
        row = next((row for row in here if not row["projected"]), here[0])
        name = setting_text(row) + ("" if one_horizon else f", T = {row['horizon']}")
        shown.append(
            {
                "settings": one.settings,
                "name": name,
                "seeds": one.seeds,
                "kind": kind_class(row["constraint"]),
                "chosen": one.settings in chosen,
            }
        )
    known = {name for one in found.settings for name in one.bands}
    return LearningView(
        tuple((name, title) for name, title in TITLES.items() if name in known),
        tuple(shown),
        {
            str(one.settings[0]): {
                "steps": [int(one.env_steps[0]), int(one.env_steps[-1])],
                **{name: _told(band, one.seeds) for name, band in one.bands.items()},
            }
            for one in found.settings
        },
        found.problems,
    )


def _chosen(found: Learning, answer: Answer) -> set[tuple[int, ...]]:
    """What leads first, then the other candidates of the answer, then whatever comes first."""
    home = {setting: one.settings for one in found.settings for setting in one.settings}
    spoken = [one.setting for one in (*answer.leaders, *answer.best) if one.setting in home]
    wanted = dict.fromkeys(home[setting] for setting in (*spoken, *home))
    return set(list(wanted)[:AT_FIRST])


def _told(band: Band, seeds: int) -> list[list[float | None]]:
    lines: Iterable[np.ndarray] = (band.low, band.median, band.high) if seeds > 1 else [band.median]
    return [
        [float(f"{value:.4g}") if math.isfinite(value) else None for value in line.tolist()]
        for line in lines
    ]
