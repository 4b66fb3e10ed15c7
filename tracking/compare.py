"""Two studies side by side: what differs between them, and by how much their results do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tracking.bootstrap import MIN_SEEDS, Estimate, estimate, estimate_difference
from tracking.csv_text import csv_text
from tracking.files import write_atomically
from tracking.kinds import kind_of
from tracking.records import ResultFolder
from tracking.table import plain_rows, results_table
from tracking.task_policies import series_of_row
from tracking.wording import setting_text

PERFORMANCES = {
    "mean_task_steps": "task steps",
    "mean_steps_to_goal": "steps to the goal",
    "mean_return": "return",
}
RATE = "empirical_violation_rate"
COMPARED = {
    "setting": "the setting in words; alike are method, source of the task policy, constraint, "
    "α or ε_max, T and parameters",
    "alpha_a, alpha_b": "α in either study: derived from an ε_max it depends on the certificate",
    "seeds_a, seeds_b": "finished seeds of either",
    "pairing": "paired by the seeds that both have, unpaired, or why there is no interval",
    "performance": "what is compared: task steps, steps to the goal or return",
    "performance_a, …_b": "means over the seeds that are compared",
    "performance_difference, …_low, …_high": "second minus first; 95% bootstrap over seeds, "
    "pointwise",
    "rate_a, rate_b, rate_difference, …": "the same of the observed violation rate",
    "prior_a, prior_b": "the promised bounds (the largest of the seeds)",
    "posterior_a, posterior_b": "posterior bound of the worst seed",
}
"""Columns of the comparison beside those of a setting."""
_SAME = ("method", "task_policy", "constraint", "eps_max", "horizon")
_KEY = ["method", "kind", "level", "horizon", "hyperparameters", "task_policy"]


@dataclass(frozen=True)
class Comparison:
    """What differs in the studies' parameters, matched settings, and the others by name.

    parameters: (name, value in the first, value in the second), where they are not the same.
    overall: per method (and source of task policies) and kind of constraint over all matched
        settings; see `compare_studies`.
    """

    warning: str | None
    parameters: tuple[tuple[str, str, str], ...]
    table: pd.DataFrame
    overall: pd.DataFrame
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare_studies(first: ResultFolder, second: ResultFolder) -> Comparison:
    """Second minus first, setting by setting, with intervals over seeds.

    Seeds that both studies have are paired if they are 3 or more: they had the same training seed
    and, with the same ``evaluation.root_seed``, the same evaluation scenarios. Otherwise the two
    sides are resampled apart; with fewer than 3 seeds on a side there is no interval.

    `overall` averages, within each paired seed, over all matched settings of a method and kind,
    and resamples seeds within each T: cells of one seed at different α are no independent runs.

    Every interval is pointwise: of many settings some will miss.
    """
    frames = [_keyed(results_table(one.records)) for one in (first, second)]
    name = _performance(*frames)
    groups = [{key: rows for key, rows in frame.groupby(_KEY, sort=False)} for frame in frames]
    matched = [key for key in groups[0] if key in groups[1]]
    rows = [_row(groups[0][key], groups[1][key], name) for key in matched]
    missing = [
        tuple(_name(groups[i][key].iloc[0]) for key in groups[i] if key not in groups[1 - i])
        for i in (0, 1)
    ]
    return Comparison(
        _warning(first, second),
        tuple(_parameter_differences(first, second)),
        pd.DataFrame(rows),
        _overall(groups[0], groups[1], matched, name),
        *missing,
    )


def write_compare_csv(comparison: Comparison, path: Path) -> Path:
    """Write the matched settings to ``path`` atomically."""
    return write_atomically(path, csv_text(comparison.table))


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    done = frame[frame["status"] == "finished"]
    extra = done["hyperparameters"] if "hyperparameters" in done else pd.Series("", done.index)
    # A constraint that was derived from a risk is told by the risk: its α follows from it and from
    # the certificate, which may be another.
    level = [
        f"ε_max {eps_max:g}" if not math.isnan(eps_max) else f"α {alpha!r}"
        for eps_max, alpha in zip(done["eps_max"], done["alpha"], strict=True)
    ]
    return done.assign(
        kind=kind_of(done), level=level, hyperparameters=extra.astype(object).fillna("").astype(str)
    )


def _performance(first: pd.DataFrame, second: pd.DataFrame) -> str:
    for name in PERFORMANCES:
        if first[name].notna().any() and second[name].notna().any():
            return name
    return "mean_steps_to_goal"


def _row(first: pd.DataFrame, second: pd.DataFrame, name: str) -> dict[str, Any]:
    common = sorted(set(first["seed"]) & set(second["seed"]))
    paired = len(common) >= MIN_SEEDS
    enough = min(len(first), len(second)) >= MIN_SEEDS
    if paired:
        pairing = f"paired by {len(common)} seeds"
    elif enough:
        pairing = f"unpaired, {len(first)} and {len(second)} seeds"
    else:
        pairing = f"no interval: {len(first)} and {len(second)} seeds, fewer than {MIN_SEEDS}"
    start = first.iloc[0]
    found: dict[str, Any] = {
        "setting": _name(start),
        **{key: start[key] for key in _SAME},
        "hyperparameters": start["hyperparameters"] or None,
        "alpha_a": start["alpha"],
        "alpha_b": second["alpha"].iloc[0],
        "seeds_a": len(first),
        "seeds_b": len(second),
        "pairing": pairing,
        "performance": PERFORMANCES[name],
    }
    for label, column in (("performance", name), ("rate", RATE)):
        a, b = (one.set_index("seed")[column].astype(float) for one in (first, second))
        if paired:
            a, b = a.loc[common], b.loc[common]
        one = difference(a.to_numpy(), b.to_numpy(), paired=paired)
        found |= {
            f"{label}_a": a.mean(skipna=False),
            f"{label}_b": b.mean(skipna=False),
            f"{label}_difference": one.value,
            f"{label}_low": one.low,
            f"{label}_high": one.high,
        }
    for label, column in (("prior", "prior_bound"), ("posterior", "posterior_bound")):
        found |= {f"{label}_a": first[column].max(), f"{label}_b": second[column].max()}
    return found


def difference(first: np.ndarray, second: np.ndarray, *, paired: bool) -> Estimate:
    """Mean of second − first with its interval; pairs in the same order, if they are pairs."""
    return estimate([second - first]) if paired else estimate_difference([first], [second])


def _overall(
    first: dict[Any, pd.DataFrame], second: dict[Any, pd.DataFrame], matched: list[Any], name: str
) -> pd.DataFrame:
    pairs = []
    for key in matched:
        a, b = (side[key].set_index("seed") for side in (first, second))
        for seed in sorted(set(a.index) & set(b.index)):
            pairs.append(
                {
                    "method": series_of_row({"method": key[0], "task_policy": key[5]}),
                    "kind": key[1],
                    "horizon": key[3],
                    "setting": key,
                    "seed": seed,
                    "performance": float(b.loc[seed, name]) - float(a.loc[seed, name]),
                    "rate": float(b.loc[seed, RATE]) - float(a.loc[seed, RATE]),
                }
            )
    table = pd.DataFrame(pairs)
    rows = []
    for (method, kind), group in table.groupby(["method", "kind"], sort=False) if pairs else ():
        row: dict[str, Any] = {
            "method": method,
            "kind": kind,
            "settings": group["setting"].nunique(),
            "seeds": int(group.groupby("horizon")["seed"].nunique().min()),
        }
        for label in ("performance", "rate"):
            strata = [
                at.groupby("seed")[label].mean().to_numpy() for _, at in group.groupby("horizon")
            ]
            one = estimate(strata)
            row |= {label: one.value, f"{label}_low": one.low, f"{label}_high": one.high}
        rows.append(row)
    return pd.DataFrame(rows)


def _name(row: pd.Series) -> str:
    plain = plain_rows(row.to_frame().T)[0]
    plain["hyperparameters"] = plain["hyperparameters"] or None
    return f"{setting_text(plain)}, T = {plain['horizon']}"


def _warning(first: ResultFolder, second: ResultFolder) -> str | None:
    differing = [
        label
        for label, name in (
            ("base policies", "base_digest"),
            ("properties", "property"),
            ("environments", "env_id"),
            ("environment arguments", "env_kwargs"),
        )
        if _of(first, name) != _of(second, name)
    ]
    if not differing:
        return None
    return (
        f"The studies have different {' and '.join(differing)}: a difference of results below is "
        "not one of constraints or methods alone."
    )


def _of(folder: ResultFolder, name: str) -> Any:
    if folder.certificate is not None and name in folder.certificate:
        return folder.certificate[name]
    values = {json.dumps(record.get(name), sort_keys=True) for record in folder.records}
    return sorted(values)


def _parameter_differences(
    first: ResultFolder, second: ResultFolder
) -> Iterator[tuple[str, str, str]]:
    a, b = dict(_flat(first.study)), dict(_flat(second.study))
    for name in sorted({*a, *b} - {"name"}):
        if a.get(name, "–") != b.get(name, "–"):
            yield name, a.get(name, "–"), b.get(name, "–")
    for name in ("base_digest", "digest", "property", "num_scenarios", "beta"):
        x, y = (f"{(one.certificate or {}).get(name, '–')}" for one in (first, second))
        if x != y:
            yield f"certificate: {name}", x, y


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _flat(one, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, json.dumps(value, ensure_ascii=False, sort_keys=True)
