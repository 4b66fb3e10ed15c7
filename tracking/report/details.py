"""What the page's drawer shows of a setting: numbers, its seeds, the gap, paths, and the export."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sport_ray.tracking.report.scene import Scene, scene_of
from sport_ray.tracking.results.labels import (
    alpha_text,
    bound_text,
    rate_text,
    setting_text,
)
from sport_ray.tracking.results.performance import Performance
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.table import plain_rows

PART_NAMES = {
    "confidence": "a bound instead of an estimate",
    "world": "a world that differs",
    "unreached": "paths likelier than any seen",
    "worst_case": "likelier paths need not be unsafe",
}
BAR = 100.0
"""Units of the longest bar of the gap's parts, to either side."""


class Number(NamedTuple):
    """A line of numbers: the key of its term ('' without one), name, text, and all its digits."""

    term: str
    name: str
    text: str
    exact: str = ""


class Part(NamedTuple):
    """A part of the gap in powers of ten, as a text and as a bar: where it starts, its width."""

    name: str
    text: str
    start: float
    width: float


@dataclass(frozen=True)
class Detail:
    """A setting in the drawer. seeds: rows of its cells. gap: what the parts add up to, in words.

    export: the cell whose policy the command names at first; '' where none finished.
    """

    setting: int
    title: str
    numbers: tuple[Number, ...]
    seeds: tuple[dict[str, Any], ...]
    gap: str
    parts: tuple[Part, ...]
    scene: Scene | None
    export: str


def details_of(
    folder: Results,
    settings: pd.DataFrame,
    rungs: pd.DataFrame,
    cells: list[dict[str, Any]],
    measure: Performance,
) -> list[Detail]:
    """A `Detail` per setting (a row of `aggregate`), in order.

    rungs: `conservativeness.setting_table`; cells: `rows.cell_rows`.
    """
    by_setting: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        by_setting.setdefault(cell["setting"], []).append(cell)
    gaps = {_key(row): row for row in plain_rows(rungs)}
    return [
        _detail(folder, number, row, by_setting.get(number, []), gaps.get(_key(row)), measure)
        for number, row in enumerate(plain_rows(settings))
    ]


def _detail(
    folder: Results,
    number: int,
    row: dict[str, Any],
    cells: list[dict[str, Any]],
    gap: dict[str, Any] | None,
    measure: Performance,
) -> Detail:
    finished = [cell["cell_id"] for cell in cells if cell["status"] == "finished"]
    return Detail(
        number,
        f"{setting_text(row)}, T = {row['horizon']}",
        tuple(_numbers(row, cells, measure)),
        tuple(cells),
        _gap_text(row, gap),
        _parts(gap),
        scene_of(folder, finished),
        finished[0] if finished else "",
    )


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SETTING)


def _numbers(
    row: dict[str, Any], cells: list[dict[str, Any]], measure: Performance
) -> list[Number]:
    text = measure.text(row[measure.mean])
    low, high = (row[measure.column(end)] for end in ("low", "high"))
    interval = "" if low is None else f" [{measure.text(low)}, {measure.text(high)}]"
    found = [
        Number("prior", "Promised before any rollout", bound_text(row["prior_bound"]),
               _exact(row["prior_bound"])),
        Number("posterior", "Bounded after evaluation, worst seed",
               bound_text(row["posterior_bound"]), _exact(row["posterior_bound"])),
        Number("observed", "Observed", _observed(row), _exact(row["empirical_violation_rate"])),
        Number("", f"{measure.short[:1].upper()}{measure.short[1:]} [95%]", text + interval,
               _exact(row[measure.mean])),
    ]  # fmt: skip
    if row["alpha"] is not None:
        found.append(Number("alpha", "α", alpha_text(row["alpha"]), _exact(row["alpha"])))
    if row["eps_max"] is not None:
        found.append(Number("eps-max", "ε_max", alpha_text(row["eps_max"]), _exact(row["eps_max"])))
    return [*found, *_training(cells)]


def _observed(row: dict[str, Any]) -> str:
    least, most = row["min_empirical_violation_rate"], row["max_empirical_violation_rate"]
    between = "" if least == most else f" (seeds {rate_text(least)} to {rate_text(most)})"
    return f"{rate_text(row['empirical_violation_rate'])}{between}"


def _training(cells: list[dict[str, Any]]) -> list[Number]:
    """What a run took, and violated on the way, on average over seeds."""
    done = [cell for cell in cells if cell["status"] == "finished" and cell["train_env_steps"]]
    if not done:
        return []
    steps = float(np.mean([cell["train_env_steps"] for cell in done]))
    found = [Number("budget", "Training, environment steps", f"{steps:,.0f}", str(steps))]
    counted = [cell["train_violations"] for cell in done if cell["train_violations"] is not None]
    if len(counted) == len(done):
        mean = float(np.mean(counted))
        bounds = [b for cell in done if (b := cell.get("train_violations_bound")) is not None]
        most = f"; promised at most {max(bounds):,}" if len(bounds) == len(done) else ""
        found.append(Number("", "Violations in a training run", f"{mean:,.1f}{most}", str(mean)))
    return found


def _exact(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _gap_text(row: dict[str, Any], gap: dict[str, Any] | None) -> str:
    if gap is None or gap["gap"] is None or not math.isfinite(gap["gap"]):
        return ""
    least = "at least " if gap["gap_is_limit"] else ""
    return (
        f"Promised {bound_text(row['prior_bound'])}, observed "
        f"{rate_text(row['empirical_violation_rate'])}: the promise is {least}"
        f"{_factor(gap['gap'])} what a seed showed, on average. Multiplied, these make the gap:"
    )


def _parts(gap: dict[str, Any] | None) -> tuple[Part, ...]:
    found = {} if gap is None else {name: gap[name] for name in PART_NAMES}
    values = {name: float(one) for name, one in found.items() if one is not None}
    if len(values) < len(PART_NAMES) or not all(map(math.isfinite, values.values())):
        return ()
    longest = max(1e-9, *map(abs, values.values()))
    return tuple(
        Part(
            PART_NAMES[name],
            _factor(value),
            round(BAR * (1 + min(value, 0.0) / longest), 1),
            round(BAR * abs(value) / longest, 1),
        )
        for name, value in values.items()
        if name != "world" or value > 0
    )


def _factor(log10: float) -> str:
    value = 10.0**log10 if abs(log10) < 300 else math.inf
    return f"10^{log10:.1f} times" if log10 >= 4 else f"{value:.3g} times"
