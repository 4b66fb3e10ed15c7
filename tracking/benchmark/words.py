"""What a benchmark found, in sentences made from its tables: to be quoted, and negative ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sport_ray.tracking.benchmark.folder import BenchFolder
from sport_ray.tracking.benchmark.judge import UNFINISHED
from sport_ray.tracking.benchmark.manifest import FILE, Folder, Manifest, Method
from sport_ray.tracking.benchmark.mixed import COIN_FLIP, MIXTURE
from sport_ray.tracking.results.labels import bound_text, rate_text
from sport_ray.tracking.results.table import plain_rows

LINE = 100
"""Characters of a command that is shown whole."""
FEW = 5
"""Seeds below which a percentile bootstrap is too short to be believed."""
Rows = dict[str, dict[str, Any]]


def share_text(row: dict[str, Any], name: str = "iqm") -> str:
    """A share with its interval in two digits: '0.31 [0.28, 0.34]'; '–' where there is none."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if value is None or math.isnan(value):
        return "–"
    if low is None or math.isnan(low):
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def rows_at(board: pd.DataFrame, level: float) -> Rows:
    """The rows of a risk as plain values, by method."""
    return {row["method"]: row for row in plain_rows(board[board["eps_max"] == level])}


def sentences(board: pd.DataFrame, manifest: Manifest) -> list[str]:
    """Three sentences for whoever quotes the benchmark, at its main risk."""
    level, paper = manifest.main_level, manifest.reference
    rows = rows_at(board, level)
    scored = {name: row for name, row in rows.items() if row["iqm"] is not None}
    promised = [one for one in manifest.methods if one.promised and one.name in scored]
    if not promised:
        return ["No method with a promise has been scored yet, so nothing is claimed."]
    best = max(promised, key=lambda one: scored[one.name]["iqm"])
    top = scored[best.name]
    first = (
        f"At certified risk {level:g}, {best.title} keeps an interquartile mean of "
        f"{share_text(top)} of the unconstrained gain ({_count(top['tasks'], 'task')}, "
        f"{_count(top['bases'], 'base')}, {_count(top['seeds'], 'seed')})"
    )
    if paper is not None and paper.name in scored and paper is not best:
        first += f"; the paper's fixed α keeps {share_text(scored[paper.name])}"
    return [f"{first}.", *_against(promised, scored, manifest), _violations(rows, manifest)]


def _against(promised: list[Method], scored: Rows, manifest: Manifest) -> list[str]:
    """How many do better than fixed α; beside it the floor of all, the coin flip."""
    paper = manifest.reference
    others = [one for one in promised if one is not paper and one.kind != COIN_FLIP]
    if paper is None or paper.name not in scored or not others:
        return []
    better = [one for one in others if (scored[one.name]["improvement_low"] or 0.0) > 0.5]
    text = (
        f"{_of(len(better), len(others))} other methods with a promise score higher than fixed α "
        "with a probability clearly above one half"
    )
    flips = [one for one in promised if one.kind == COIN_FLIP]
    if flips:
        text += (
            f"; a coin flip between base and task policy keeps {share_text(scored[flips[0].name])}"
        )
    return [f"{text}."]


def _violations(rows: Rows, manifest: Manifest) -> str:
    """How often what was promised held, and what was not promised did not."""
    level = manifest.main_level
    # A coin flip spends all of its risk: its observed rate is its bound, give or take chance.
    known = [one for one in manifest.methods if one.name in rows and one.kind != COIN_FLIP]
    promised = [rows[one.name] for one in known if one.promised]
    free = [rows[one.name] for one in manifest.methods if not one.promised and one.name in rows]
    counted = sum(row["counted"] for row in promised)
    worse = sum(row["rates_above"] for row in promised)
    worst = max((row["worst_violation_rate"] for row in promised if row["counted"]), default=None)
    text = (
        f"In evaluation {_of(worse, counted)} certified policies violated more often than {level:g}"
    )
    if worst is not None:
        text += f" (at most {rate_text(worst)}; coin flips, which spend all of it, aside)"
    total = sum(row["counted"] + row["above"] for row in free)
    if total:
        above = sum(row["above"] for row in free)
        text += f"; {_of(above, total)} without a promise could not be shown to stay within it"
    return f"{text}."


def completeness(
    folders: Sequence[BenchFolder], absent: Sequence[Folder], manifest: Manifest
) -> str:
    """How much of the benchmark there is."""
    states = [folder.completeness for folder in folders]
    finished, planned = sum(one.finished for one in states), sum(one.planned for one in states)
    text = (
        f"{finished:,} of {planned:,} cells of {_count(len(folders), 'base')} are finished, "
        f"{sum(one.failed for one in states)} failed, "
        f"{sum(one.missing + len(one.unreadable) for one in states)} have not been run"
    )
    if absent:
        names = "; ".join(f"{one.task} {one.base}" for one in absent)
        text += f"; {_count(len(absent), 'base')} without results: {names}"
    made = f"`{manifest.command}`" if len(manifest.command) <= LINE else f"the command in `{FILE}`"
    text += f". Made by {made}{' (tiny: no result)' if manifest.tiny else ''}."
    few = f" Intervals from fewer than {FEW} seeds are too short."
    return text + (few if len(manifest.seeds) < FEW else "")


def negative(
    scores: pd.DataFrame,
    board: pd.DataFrame,
    folders: Sequence[BenchFolder],
    manifest: Manifest,
) -> list[str]:
    """What did not work, an item each: against fixed α, out of reach, above the level, failed."""
    rows, level = rows_at(board, manifest.main_level), manifest.main_level
    below, alike = [], []
    paper = manifest.reference
    for one in manifest.methods:
        row = rows.get(one.name)
        if row is None or row["improvement_low"] is None or not one.promised or one is paper:
            continue
        text = f"{one.title} ({share_text(row, 'improvement')})"
        if row["improvement_high"] < 0.5:
            below.append(text)
        elif row["improvement_low"] <= 0.5:
            alike.append(text)
    found = []
    if below:
        found.append(f"Below fixed α at ε = {level:g}, by P(higher score): {'; '.join(below)}.")
    if alike:
        found.append(f"Not told apart from fixed α at ε = {level:g}: {'; '.join(alike)}.")
    found += _higher_without(rows, manifest)
    found += _out_of_reach(folders, manifest)
    for one in manifest.methods:
        row = rows.get(one.name)
        if row is not None and not one.promised and row["above"]:
            total = row["counted"] + row["above"]
            found.append(
                f"{one.title}: the bound of {_of(row['above'], total)} policies is above "
                f"{level:g}; {row['rates_above']} violated more often, the worst in "
                f"{row['worst_violation_rate']:.3g} of its scenarios."
            )
    for folder in folders:
        if folder.gain.why_not:
            found.append(f"{_name(folder)}: not scored, {folder.gain.why_not}.")
        if folder.refuted:
            found.append(f"{_name(folder)}: the data contradict a promise; nothing is certified.")
        for reason, count in folder.completeness.reasons:
            found.append(f"{_name(folder)}: {_count(count, 'cell')} failed: {reason}.")
    found += _not_picked(scores, folders, manifest)
    found += [f"{place}: {why}." for place, why in manifest.failed.items()]
    found += [f"{task}: left out, {why}." for task, why in manifest.skipped.items()]
    return found + _left_out(board, manifest)


def _higher_without(rows: Rows, manifest: Manifest) -> list[str]:
    """Methods without a promise whose interval lies above those of all with one."""
    known = [one for one in manifest.methods if one.name in rows]
    tops = [rows[one.name]["iqm_high"] for one in known if one.promised]
    top = max((one for one in tops if one is not None), default=None)
    if top is None:
        return []
    free = [
        f"{one.title} ({share_text(rows[one.name])})"
        for one in known
        if not one.promised and (low := rows[one.name]["iqm_low"]) is not None and low > top
    ]
    level = manifest.main_level
    return (
        [f"Above all methods with a promise at ε = {level:g}: {'; '.join(free)}."] if free else []
    )


def _not_picked(
    scores: pd.DataFrame, folders: Sequence[BenchFolder], manifest: Manifest
) -> list[str]:
    """Mixtures without a score: no cell of theirs is missing, so that no count tells of them."""
    told = {folder.gain.why_not for folder in folders}  # of a whole base, and said there
    found = []
    for one in manifest.methods:
        if one.kind not in (MIXTURE, COIN_FLIP):
            continue
        mine = scores[(scores["method"] == one.name) & (scores["state"] == UNFINISHED)]
        for reason, rows in mine[~mine["reason"].isin(told)].groupby("reason", sort=False):
            places = rows["task"] + " " + rows["base"]
            seeds = rows.groupby(places, sort=False)["seed"].nunique()
            where = [f"{place} ({_count(count, 'seed')})" for place, count in seeds.items()]
            found.append(f"{one.title}: no score on {'; '.join(where)}: {reason}.")
    return found


def _left_out(board: pd.DataFrame, manifest: Manifest) -> list[str]:
    """Methods that have no cells somewhere, each reason with its bases."""
    places: dict[tuple[str, str], list[str]] = {}
    mixed = {one.name for one in manifest.methods if one.kind in (MIXTURE, COIN_FLIP)}
    for folder in manifest.folders:
        for name, why in folder.left_out.items():
            if name not in mixed:  # made from others' cells, wherever these are
                places.setdefault((name, why), []).append(f"{folder.task} {folder.base}")
    titles = {one.name: one.title for one in manifest.methods}
    found = [
        f"{titles.get(name, name)}: no cells on {'; '.join(where)}: {why}."
        for (name, why), where in places.items()
    ]
    told = {name for name, _ in places} | set(board["method"])
    return found + [
        f"{one.title}: no cells anywhere." for one in manifest.methods if one.name not in told
    ]


def _out_of_reach(folders: Sequence[BenchFolder], manifest: Manifest) -> list[str]:
    found = []
    for level in manifest.risk_levels:
        short = [one for one in folders if one.gain.base and one.gain.eps_base > level]
        if short:
            names = [f"{_name(one)} ({bound_text(one.gain.eps_base)})" for one in short]
            found.append(
                f"Nothing is promised at ε = {level:g} where the base itself is certified to "
                f"more: {'; '.join(names)}."
            )
    return found


def _name(folder: BenchFolder) -> str:
    return f"{folder.about.task} {folder.about.base}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,}"
