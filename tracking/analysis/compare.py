"""Two studies side by side: one number for how their results differ, a verdict, and the settings.

The number: at equal settings of constraint and T (the same α, or the same certified risk ε_max),
the mean performance over all settings that both studies have, second minus first. Each seed gives
one number, its mean over these settings, since its cells at different α are no independent runs;
the interval is Welch's over the seeds of either study. Studies whose results are no measurements of
one thing are refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.errors import UserError
from sport_ray.tracking.results.intervals import (
    MIN_SEEDS,
    UNKNOWN,
    Estimate,
    estimate,
    estimate_difference,
)
from sport_ray.tracking.results.kinds import is_base, is_unconstrained
from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.parameters import texts_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import require_unrefuted
from sport_ray.tracking.results.table import plain_rows, table_of

PERFORMANCES = {
    "mean_task_steps": "task steps",
    "mean_steps_to_goal": "steps to the goal",
    "mean_return": "return",
}
RATE = "empirical_violation_rate"
OTHER_BASES = (
    "The studies have different base policies: only settings at the same certified risk are "
    "compared, and what differs is base and method together."
)
_SAME = ("source", "projected", "constraint", "eps_max", "horizon")
_KEY = ["source", "projected", "constraint", "level", "horizon", "hyperparameters"]


@dataclass(frozen=True)
class Comparison:
    """One number and what it says, what differs in parameters, matched settings, and the others.

    estimand: what `difference` is of, in words; verdict: what it says, in a sentence.
    parameters: (name, value in the first, value in the second), where they are not the same.
    table: a row per setting in common; _a and _b: of the first and the second study; prior and
    posterior bounds of the worst seed.
    """

    estimand: str
    difference: Estimate
    verdict: str
    warning: str | None
    parameters: tuple[tuple[str, str, str], ...]
    table: pd.DataFrame
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare_studies(first: Results, second: Results) -> Comparison:
    """Second minus first: one number, and setting by setting, with t-intervals over seeds.

    Setting by setting, seeds that both studies have are paired if they are 2 or more: they had the
    same training seed and, with the same ``evaluation.root_seed``, the same evaluation scenarios.
    Otherwise the interval is Welch's; with one seed on a side there is none. Those intervals are
    pointwise: of many settings some will miss. The verdict rests on the one number alone.

    Raises:
        UserError: naming what differs, for studies that measure different things (environment,
            property, world of deployment, performance); other base policies, where no setting is
            at the same certified risk; promises that their data refute; no setting in common.
    """
    for one in (first, second):
        require_unrefuted(one.refutations, f"{one.name} is not compared")
    _require_alike(first, second)
    frames = [_keyed(table_of(one)) for one in (first, second)]
    name = _performance(*frames)
    groups = [dict(iter(frame.groupby(_KEY, sort=False))) for frame in frames]
    matched = [key for key in groups[0] if key in groups[1]]
    rows = [_row(groups[0][key], groups[1][key], name) for key in matched]
    missing = [
        tuple(_name(groups[i][key].iloc[0]) for key in groups[i] if key not in groups[1 - i])
        for i in (0, 1)
    ]
    same_base = _of(first, "base_digest") == _of(second, "base_digest")
    compared = [key for key in matched if _is_compared(groups[0][key], same_base)]
    if not compared:
        raise UserError(_nothing_compared(first, second, same_base))
    compared = _complete(groups, compared)
    sides = [_by_seed(side, compared, name) for side in groups]
    found = estimate_difference(sides[0], sides[1]) if all(map(len, sides)) else UNKNOWN
    what = "at equal certified risk" if not same_base else "at equal constraint and T"
    estimand = (
        f"mean {PERFORMANCES[name]} {what}, over {len(compared)} settings that both have, "
        f"{second.name} minus {first.name}"
    )
    return Comparison(
        estimand,
        found,
        _verdict(found, name, (first.name, second.name), [len(side) for side in sides]),
        None if same_base else OTHER_BASES,
        tuple(_parameter_differences(first, second)),
        pd.DataFrame(rows),
        *missing,
    )


def _is_compared(rows: pd.DataFrame, same_base: bool) -> bool:
    """Whether a setting's cells say something of the study's policies under a promise.

    The base itself (α = 1) and policies without a constraint do not; with different bases the same
    α promises different risks, and only settings that were derived from the same risk are alike.
    """
    promised = not bool((is_base(rows) | is_unconstrained(rows)).any())
    return promised and (same_base or bool(rows["eps_max"].notna().all()))


def _complete(groups: list[dict[Any, pd.DataFrame]], keys: list[Any]) -> list[Any]:
    """The settings that every seed finished, in both studies; all of them where there is none.

    One failed cell then costs its setting, on both sides, and not a whole seed.
    """
    seeds = [{seed for key in keys for seed in side[key]["seed"]} for side in groups]
    whole = [
        key
        for key in keys
        if all(set(side[key]["seed"]) == all_ for side, all_ in zip(groups, seeds, strict=True))
    ]
    return whole or keys


def _by_seed(side: dict[Any, pd.DataFrame], keys: list[Any], name: str) -> np.ndarray:
    """The mean over these settings of each seed that has all of them, (seeds,)."""
    table = pd.DataFrame({i: side[key].set_index("seed")[name] for i, key in enumerate(keys)})
    return table.astype(float).dropna().mean(axis=1).to_numpy()


def _verdict(found: Estimate, name: str, studies: tuple[str, str], seeds: list[int]) -> str:
    if not math.isfinite(found.value):
        return (
            "Nothing can be said: no seed finished all of the settings in common in both studies."
        )
    if math.isnan(found.low):
        return (
            f"Nothing can be said of other seeds: {seeds[0]} and {seeds[1]} seeds finished all "
            f"settings in common, {MIN_SEEDS} or more are needed in both."
        )
    if found.low <= 0.0 <= found.high:
        return "No difference can be shown."
    more = name == "mean_return"
    better = studies[1] if (found.value > 0) == more else studies[0]
    how = "better by a return of {:.3g}." if more else "faster by {:.3g} steps."
    return f"{better} is {how.format(abs(found.value))}"


def _nothing_compared(first: Results, second: Results, same_base: bool) -> str:
    if same_base:
        return (
            f"{first.name} and {second.name} have no setting in common beside the base and "
            "policies without a constraint: compare studies with the same α or ε_max, at the same T"
        )
    return (
        f"{first.name} and {second.name} have different base policies, and no setting at the same "
        "certified risk: compare cells derived from the same eps_max, at the same T"
    )


def _require_alike(first: Results, second: Results) -> None:
    labels = {
        "property": "property",
        "env_id": "environment",
        "env_kwargs": "environment arguments",
    }
    differing = [
        f"{label} ({_short(_of(first, name))} and {_short(_of(second, name))})"
        for name, label in labels.items()
        if _of(first, name) != _of(second, name)
    ]
    if (first.study.get("deployment") or None) != (second.study.get("deployment") or None):
        differing.append("world of deployment")
    if differing:
        raise UserError(
            f"{first.name} and {second.name} cannot be compared, they differ in "
            f"{' and '.join(differing)}: a difference of results would be no one thing's"
        )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    done = frame[frame["status"] == "finished"]
    # A constraint that was derived from a risk is told by the risk: its α follows from it and from
    # the certificate, which may be another.
    level = [
        f"ε_max {eps_max:g}" if not math.isnan(eps_max) else f"α {alpha!r}"
        for eps_max, alpha in zip(done["eps_max"], done["alpha"], strict=True)
    ]
    return done.assign(level=level, hyperparameters=texts_of(done))


def _performance(first: pd.DataFrame, second: pd.DataFrame) -> str:
    known = [n for n in PERFORMANCES if first[n].notna().any() and second[n].notna().any()]
    return known[0] if known else "mean_steps_to_goal"


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
    return estimate(second - first) if paired else estimate_difference(first, second)


def _name(row: pd.Series) -> str:
    plain = plain_rows(row.to_frame().T)[0]
    plain["hyperparameters"] = plain["hyperparameters"] or None
    return f"{setting_text(plain)}, T = {plain['horizon']}"


def _of(folder: Results, name: str) -> Any:
    if folder.certificate is not None and name in folder.certificate:
        return folder.certificate[name]
    values = {json.dumps(record.get(name), sort_keys=True) for record in folder.records}
    return sorted(values)


def _parameter_differences(first: Results, second: Results) -> Iterator[tuple[str, str, str]]:
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
