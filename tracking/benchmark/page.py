"""The page of a benchmark, ``leaderboard.md``: sentences, the figure, tables; all from its tables.

Parts stand between comments (`PARTS`), so that a documentation page can include one of them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from sport_ray.tracking.benchmark import words
from sport_ray.tracking.benchmark.figure import order_of
from sport_ray.tracking.benchmark.folder import BenchFolder
from sport_ray.tracking.benchmark.manifest import Folder, Manifest
from sport_ray.tracking.benchmark.profile_figure import SHOWN
from sport_ray.tracking.benchmark.tables import ALL
from sport_ray.tracking.results.labels import bound_text, rate_text
from sport_ray.tracking.results.table import plain_rows

WIDTH = 110
PARTS = ("quote", "overall", "tables", "negative")


def begin(part: str) -> str:
    """The comment before a part."""
    return f"<!-- {part}: begin -->"


def end(part: str) -> str:
    """The comment after it."""
    return f"<!-- {part}: end -->"


def page_text(
    scores: pd.DataFrame,
    board: pd.DataFrame,
    of_tasks: dict[str, pd.DataFrame],
    costs: pd.DataFrame,
    folders: Sequence[BenchFolder],
    absent: Sequence[Folder],
    manifest: Manifest,
) -> str:
    """The whole page as Markdown. of_tasks: `task_leaderboard` of each task with results.

    scores: ``scores.csv``, of which all tables are made.
    """
    level = manifest.main_level
    figure = [] if board.empty else [_FIGURE]
    quote = [
        " ".join(words.sentences(board, manifest)),
        *figure,
        words.completeness(folders, absent, manifest),
    ]
    scored = board.loc[board["eps_max"] == level, "iqm"].notna().any()
    overall = ["## All tasks", _INTERVALS, _shares(board, manifest)]
    overall += [_PROFILES, _SPREAD] if scored else []
    tables = []
    for task in manifest.tasks:
        if task.name in of_tasks:
            own = of_tasks[task.name]
            own = own[own["smoothness"] == ALL]
            tables += [f"## {task.title}", f"`{task.property}`, T = {task.horizon}. {task.why}"]
            tables += [_bases(task.name, folders), _shares(own, manifest)]
    tables += [f"## What stands behind the scores at ε = {level:g}", _JUDGED]
    tables += [_judged(board, manifest), "## What it took", _TOOK, _costs(costs)]
    items = words.negative(scores, board, folders, manifest)
    items = items or ["Nothing of the kind was found."]
    negative = ["## Negative results", "\n".join(_item(one) for one in items)]
    parts = dict(zip(PARTS, (quote, overall, tables, negative), strict=True))
    text = ["# Leaderboard"]
    for name, blocks in parts.items():
        text += [begin(name), *map(_wrapped, blocks), end(name)]
    return "\n\n".join(text) + "\n"


_FIGURE = "![Share of the unconstrained gain at equal risk](leaderboard.png)"
_PROFILES = "![Profiles of scores, and how often each is higher](leaderboard_profiles.png)"
_SPREAD = (
    f"The share of seeds and tasks whose score is above τ. {SHOWN}, and the paper's. Where lines "
    "cross, the mean hides who fails where. Right: the column 'higher', with the tasks that both "
    "have."
)
_INTERVALS = (
    "Share of the unconstrained gain: interquartile mean with its 95% bootstrap interval, every "
    "task weighing the same. 'Higher': the probability of a higher score than the paper's fixed α, "
    "ties half. Methods without a promise count where the bound from their own evaluation allows."
)
_JUDGED = (
    "Policies by what became of them. Counted: the bound is at most the level. Above, out of "
    "reach, failed: score 0. Not run: no score. Rates are observed ones."
)
_TOOK = (
    "Training of one policy, means; violations in training over all runs, beside what is promised "
    "at most in expectation. A policy that serves several constraints is counted once in each row."
)


def _shares(board: pd.DataFrame, manifest: Manifest) -> str:
    """The table of a leaderboard: a row per method, a column per risk."""
    levels = sorted(manifest.risk_levels)
    by_level = {level: words.rows_at(board, level) for level in levels}
    main = by_level[manifest.main_level]
    rows = []
    for name in order_of(board, manifest):
        first = main.get(name) or next(one[name] for one in by_level.values() if name in one)
        shares = [
            words.share_text(by_level[one][name]) if name in by_level[one] else "–"
            for one in levels
        ]
        higher = words.share_text(main[name], "improvement") if name in main else "–"
        about = f"{first['tasks']} / {first['bases']} / {first['seeds']}"
        rows.append([first["title"], first["promise"], *shares, higher, about])
    head = ["method", "promise", *(f"ε = {one:g}" for one in levels)]
    return _table([*head, f"higher, ε = {manifest.main_level:g}", "tasks / bases / seeds"], rows)


def _bases(task: str, folders: Sequence[BenchFolder]) -> str:
    rows = []
    for one in folders:
        if one.about.task != task:
            continue
        gain, state = one.gain, one.completeness
        cells = f"{state.finished} / {state.failed} / {state.planned}"
        of = gain.measure.name
        rows.append(
            [one.about.base, bound_text(gain.eps_base), f"{gain.base_value:.4g}",
             f"{gain.free_value:.4g}", of, cells, gain.why_not or "scored"]
        )  # fmt: skip
    head = ["base", "certified to", "base", "unconstrained", "measure"]
    return _table([*head, "finished / failed / planned", "scores"], rows)


def _judged(board: pd.DataFrame, manifest: Manifest) -> str:
    rows = words.rows_at(board, manifest.main_level)
    names = ("counted", "above", "out_of_reach", "failed", "unfinished", "unscored")
    found = [
        [rows[name]["title"], *(str(rows[name][one]) for one in names),
         rate_text(rows[name]["mean_violation_rate"]),
         rate_text(rows[name]["worst_violation_rate"]), str(rows[name]["rates_above"])]
        for name in order_of(board, manifest) if name in rows
    ]  # fmt: skip
    head = ["method", "counted", "above", "out of reach", "failed", "not run", "no gain to share"]
    return _table([*head, "mean rate", "worst rate", "rates above ε"], found)


def _costs(costs: pd.DataFrame) -> str:
    rows = []
    for row in plain_rows(costs):
        promised, held = row["expected_violations"], row["held"]
        within = "" if held is None else (", kept" if held else ", **broken**")
        counted = _number(row["promised_violations"])
        rows.append(
            [row["title"], str(row["runs"]), _number(row["train_env_steps"]),
             _number(row["train_seconds"]), _number(row["eval_seconds"]),
             _number(row["train_violations"]),
             "nothing" if promised is None else f"{_number(promised)} / {counted}{within}",
             str(row["failed_cells"]), str(row["unfinished_cells"])]
        )  # fmt: skip
    head = ["method", "policies", "env steps", "training, s", "evaluation, s"]
    last = ["violations", "promised: at most / counted", "failed cells", "cells not run"]
    return _table([*head, *last], rows)


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["--"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(one.replace('|', '¦') for one in row)} |" for row in lines)


def _item(text: str) -> str:
    return textwrap.fill(f"- {text}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _wrapped(block: str) -> str:
    if "\n" in block or block.startswith(("|", "#", "!", "- ")):
        return block
    return textwrap.fill(block, WIDTH, break_on_hyphens=False, break_long_words=False)
