"""Limits from data beside the prior ones: what each saves at one risk, and by how much more.

Prior: the limit that follows from the certificate alone. From data: the largest of a list that
scenarios of the base allow, or the prior one where none passes. Both promise the same risk, each
with its own confidence; the choice from data speaks of its list of policies and not of training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.constraints import Constraint
from sport_ray.errors import UserError
from sport_ray.tracking.analysis.speedup import fieller
from sport_ray.tracking.results.intervals import estimate
from sport_ray.tracking.results.kinds import class_of
from sport_ray.tracking.results.limit_choices import Choice, choices_of, levels_of
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.table import plain_rows
from sport_ray.tracking.results.task_policies import series_of

COLUMNS = {
    "horizon": "T",
    "series": "who makes the policy, and how it is used",
    "constraint": "kind of constraint",
    "hyperparameters": "training parameters that are an axis of the sweep",
    "eps_max": "the risk that both limits promise",
    "beta": "the choice from data errs with this, a list by itself",
    "seeds": "training seeds that have both",
    "prior_limit": "limit that follows from the certificate: α, B in nats or μ; mean over seeds",
    "limit": "limit chosen from data, or the prior one where none passed; mean over seeds",
    "limit_low": "the smallest over seeds",
    "limit_high": "the largest over seeds",
    "prior_saved": "what the prior limit saves against the base: steps, or return gained",
    "prior_saved_low": "its 95% t-interval over seeds, pointwise",
    "prior_saved_high": "its upper end",
    "saved": "what the limit from data saves",
    "saved_low": "its 95% t-interval over seeds, pointwise",
    "saved_high": "its upper end",
    "gain": "saved / prior_saved, of the means over seeds",
    "gain_low": "Fieller's 95% interval, paired by seed; empty where it is unbounded",
    "gain_high": "its upper end",
    "worst_violation_rate": "of the limits from data, the worst seed's",
    "worst_posterior_bound": "of the same, the worst seed's",
}
"""Columns of ``limits.csv``, with their meaning."""
_LINE = ["horizon", "series", "constraint", "hyperparameters"]


def limits_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per T, source, kind, training parameters and risk that limits are chosen for.

    frame: the results table. Empty without lists, and where the data refute a promise.
    """
    empty = pd.DataFrame(columns=list(COLUMNS))
    listed = frame[frame["limit_list"].notna()]
    if listed.empty or bool(frame["refuted"].any()):
        return empty
    cells = {str(row["cell_id"]): row for row in plain_rows(frame.assign(series=series_of(frame)))}
    lists: dict[str, dict[str, Any]] = {}
    for row in cells.values():
        if row["limit_list"] is not None:
            lists.setdefault(row["limit_list"], row)
    rows: dict[tuple[Any, ...], list[dict[str, float]]] = {}
    for choice in choices_of(cells.values()):
        first = lists[choice.list_id]
        pair = _pair(choice, first, cells, frame)
        if pair is not None:
            rows.setdefault((*(first[name] for name in _LINE), choice.level), []).append(pair)
    found = [_row(key, pairs) for key, pairs in rows.items()]
    order = ["horizon", "constraint", "series", "eps_max"]
    return pd.DataFrame(found, columns=list(COLUMNS)).sort_values(order).reset_index(drop=True)


def _pair(
    choice: Choice,
    first: Mapping[str, Any],
    cells: Mapping[str, Mapping[str, Any]],
    frame: pd.DataFrame,
) -> dict[str, float] | None:
    """One seed's prior limit and limit from data; None where the prior one is not there."""
    same = [
        cell
        for cell in cells.values()
        if cell["limit_list"] is None
        and cell["eps_max"] == choice.level
        and cell["status"] == "finished"
        and all(cell[name] == first[name] for name in (*_LINE, "seed"))
    ]
    if len(same) != 1:
        return None
    prior = same[0]
    chosen = cells[choice.passed[-1]] if choice.passed else prior
    base = [
        value
        for cell in cells.values()
        if cell["alpha"] == 1.0
        and (cell["horizon"], cell["seed"]) == (first["horizon"], first["seed"])
        and (value := _value(cell, frame)) is not None
    ]
    saved = [
        math.nan if not base or (value := _value(cell, frame)) is None else base[0] - value
        for cell in (prior, chosen)
    ]
    return {
        "beta": float(first["limit_beta"] or math.nan) * len(levels_of(first)),
        "prior_limit": _limit(prior),
        "limit": _limit(chosen),
        "prior_saved": saved[0],
        "saved": saved[1],
        "rate": float(chosen["empirical_violation_rate"]),
        "posterior": float(chosen["posterior_bound"]),
    }


def _value(cell: Mapping[str, Any], frame: pd.DataFrame) -> float | None:
    """What is compared, with the sign that makes less better: steps of the task, or the return."""
    if cell["status"] != "finished":
        return None
    if cell["mean_task_steps"] is not None:
        return float(cell["mean_task_steps"])
    measure = performance_of(frame)
    value = cell[measure.mean]
    return None if value is None else measure.sign * float(value)


def _limit(cell: Mapping[str, Any]) -> float:
    kind = class_of(cell["constraint"])
    try:
        made: Constraint | None = None if kind is None else kind.from_record(cell)
    except UserError:
        return math.nan
    return math.nan if made is None else made.limit


def _row(key: tuple[Any, ...], pairs: list[dict[str, float]]) -> dict[str, Any]:
    by_name = {name: np.array([pair[name] for pair in pairs]) for name in pairs[0]}
    prior, saved = by_name["prior_saved"], by_name["saved"]
    usable = bool(np.isfinite([*prior, *saved]).all()) and prior.mean() > 0
    low, high = fieller(saved, prior) if usable else (math.nan, math.nan)
    return {
        **dict(zip([*_LINE, "eps_max"], key, strict=True)),
        "beta": by_name["beta"].max(),
        "seeds": len(pairs),
        "prior_limit": by_name["prior_limit"].mean(),
        "limit": by_name["limit"].mean(),
        "limit_low": by_name["limit"].min(),
        "limit_high": by_name["limit"].max(),
        **estimate(prior).columns("prior_saved"),
        **estimate(saved).columns("saved"),
        "gain": saved.mean() / prior.mean() if usable else math.nan,
        "gain_low": low,
        "gain_high": high,
        "worst_violation_rate": by_name["rate"].max(),
        "worst_posterior_bound": by_name["posterior"].max(),
    }
