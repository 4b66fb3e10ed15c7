"""Leaderboards: each method's scores at each risk over tasks, bases, seeds; and what it took."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sport_ray.tracking.analysis.training_cost import training_table
from sport_ray.tracking.benchmark.aggregates import Strata, improvement, iqm, mean, profile
from sport_ray.tracking.benchmark.folder import BenchFolder
from sport_ray.tracking.benchmark.judge import (
    ABOVE,
    BROKEN,
    COUNTED,
    FAILED,
    OUT_OF_REACH,
    REFUTED,
    UNFINISHED,
)
from sport_ray.tracking.benchmark.manifest import Manifest, Method

COLUMNS = {
    "method": "the method",
    "title": "its name in words",
    "promise": "prior, data (limits from base scenarios), expected, or posterior (none)",
    "eps_max": "the risk that a bound must not exceed",
    "iqm": "interquartile mean of the scores; every task weighs the same",
    "iqm_low": "its 95% interval, seeds drawn anew within each base; empty from one seed",
    "iqm_high": "its upper end",
    "mean": "mean of the scores, weighted alike",
    "improvement": "probability that it scores higher than the paper's fixed α, ties half",
    "improvement_low": "its 95% interval",
    "improvement_high": "its upper end",
    "tasks": "tasks with scores of it",
    "bases": "bases with scores of it",
    "seeds": "the fewest seeds of any base",
    "scores": "all its scores",
    "counted": "policies whose bound is at most the level",
    "above": "policies whose bound is above it: score 0",
    "out_of_reach": "policies of bases that are not certified for the level: score 0",
    "failed": "cells that failed, or left their constraint, or are refuted: score 0",
    "unfinished": "cells that have not been run: no score",
    "unscored": "policies of bases without a gain to share: no score",
    "mean_violation_rate": "observed, mean over its policies",
    "worst_violation_rate": "observed, of the worst of its policies",
    "rates_above": "policies whose observed rate is above the level",
}
"""Columns of ``leaderboard.csv``, and of ``leaderboard_TASK.csv`` after ``smoothness``."""
COSTS = {
    "method": "the method",
    "title": "its name in words",
    "runs": "policies that were trained, each counted once",
    "train_env_steps": "environment steps of a policy's training, mean",
    "train_seconds": "wall time of a policy's training, s, mean",
    "eval_seconds": "wall time of a cell's evaluation, s, mean",
    "train_episodes": "episodes of training, all runs",
    "expected_violations": "of those runs that promise anything: expected at most",
    "promised_violations": "of the same runs: counted",
    "train_violations": "violations in training that were counted, all runs",
    "held": "whether every run kept its bound on violations; empty where nothing is promised",
    "failed_cells": "cells that failed",
    "unfinished_cells": "cells of its source that have not been run",
}
"""Columns of ``leaderboard_costs.csv``."""
TAUS = np.round(np.linspace(-0.5, 1.5, 41), 6)
ALL = "all"


def strata_of(scores: pd.DataFrame, keys: list[tuple[str, str]] | None = None) -> Strata:
    """The scores of one method and risk by (task, base); every task weighs the same.

    keys: only these strata, in their order; by default all.
    """
    groups = {
        (str(task), str(base)): rows["score"].to_numpy(np.float64)
        for (task, base), rows in scores.dropna(subset=["score"]).groupby(["task", "base"])
    }
    keys = sorted(groups) if keys is None else keys
    bases = pd.Series([task for task, _ in keys], dtype=object).value_counts()
    return Strata(tuple(groups[key] for key in keys), tuple(1.0 / bases[task] for task, _ in keys))


def leaderboard(scores: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """A row per method and risk, `COLUMNS`; methods in the manifest's order."""
    rows = []
    paper = manifest.reference
    for level in manifest.risk_levels:
        at_level = scores[scores["eps_max"] == level]
        of_method = {str(name): rows for name, rows in at_level.groupby("method")}
        against = None if paper is None else of_method.get(paper.name)
        rows += [
            _row(method, level, of_method[method.name], against)
            for method in manifest.methods
            if method.name in of_method
        ]
    order = {method.name: rank for rank, method in enumerate(manifest.methods)}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    rank = table["method"].map(order)
    return table.assign(rank=rank).sort_values(["rank", "eps_max"]).drop(columns="rank")


def task_leaderboard(scores: pd.DataFrame, manifest: Manifest, task: str) -> pd.DataFrame:
    """The same of one task, with its bases together (`ALL`) and by how smooth they are."""
    own = scores[scores["task"] == task]
    parts = [leaderboard(own, manifest).assign(smoothness=ALL)]
    parts += [
        leaderboard(rows, manifest).assign(smoothness=name)
        for name, rows in own.groupby("smoothness", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)[["smoothness", *COLUMNS]]


def profiles(scores: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """Performance profiles: the share of a method's scores above τ, at each risk."""
    rows = []
    for (method, level), own in scores.groupby(["method", "eps_max"], sort=False):
        found = profile(strata_of(own), TAUS, replicates=500)
        rows += [
            {"method": method, "eps_max": level, "tau": tau, **one.columns("above")}
            for tau, one in zip(TAUS, found, strict=True)
        ]
    columns = ["method", "eps_max", "tau", "above", "above_low", "above_high"]
    return pd.DataFrame(rows, columns=columns)


def _row(
    method: Method, level: float, own: pd.DataFrame, paper: pd.DataFrame | None
) -> dict[str, Any]:
    strata, scored = strata_of(own), own.dropna(subset=["score"])
    states = own["state"].value_counts()
    per_base = scored.groupby(["task", "base"]).size()
    # Of policies that could act: where the level is out of reach, or a promise broken, none does.
    acting = own[own["state"].isin((COUNTED, ABOVE))]
    rates = acting["violation_rate"].dropna()
    unfinished = own["state"] == UNFINISHED
    return {
        "method": method.name,
        "title": method.title,
        "promise": method.promise,
        "eps_max": level,
        **iqm(strata).columns("iqm"),
        "mean": mean(strata),
        **_improvement(scored, paper).columns("improvement"),
        "tasks": scored["task"].nunique(),
        "bases": len(per_base),
        "seeds": int(per_base.min()) if len(per_base) else 0,
        "scores": len(scored),
        "counted": int(states.get(COUNTED, 0)),
        "above": int(states.get(ABOVE, 0)),
        "out_of_reach": int(states.get(OUT_OF_REACH, 0)),
        "failed": int(sum(states.get(one, 0) for one in (FAILED, BROKEN, REFUTED))),
        "unfinished": int(unfinished.sum()),
        "unscored": int((own["score"].isna() & ~unfinished).sum()),
        "mean_violation_rate": rates.mean(),
        "worst_violation_rate": rates.max(),
        "rates_above": int((rates > level).sum()),
    }


def _improvement(scored: pd.DataFrame, paper: pd.DataFrame | None) -> Any:
    """Over the paper's, on the bases that both have scores of."""
    keys: list[tuple[str, str]] = []
    if paper is not None:
        paper = paper.dropna(subset=["score"])
        both = [set(zip(one["task"], one["base"], strict=True)) for one in (scored, paper)]
        keys = sorted(both[0] & both[1])
    other = scored if paper is None else paper
    return improvement(strata_of(scored, keys), strata_of(other, keys))


def costs(folders: list[BenchFolder], manifest: Manifest) -> pd.DataFrame:
    """What the policies of each method with cells of its own took, `COSTS`."""
    rows = []
    for method in manifest.methods:
        frames = []
        for folder in folders:
            ids = {row["cell_id"] for row in folder.cells(method)}
            frames.append(folder.frame[folder.frame["cell_id"].isin(ids)])
        cells = pd.concat(frames) if frames else pd.DataFrame()
        missing = sum(folder.missing[method.source or ""] for folder in folders)
        if len(cells) or missing:
            rows.append(_cost(method, cells, missing))
    return pd.DataFrame(rows, columns=list(COSTS))


def _cost(method: Method, cells: pd.DataFrame, missing: int) -> dict[str, Any]:
    done = cells[cells["status"] == "finished"]
    runs = done.drop_duplicates("policy_digest")
    # A policy that serves every constraint is trained once, and its cost told of it as it is.
    told = training_table(runs.assign(projected=runs["projected"] & runs["train_risk"].notna()))
    held, promised = told["held"].dropna(), told[told["expected"].notna()]
    return {
        "method": method.name,
        "title": method.title,
        "runs": len(runs),
        "train_env_steps": runs["train_env_steps"].mean(),
        "train_seconds": runs["train_seconds"].mean(),
        "eval_seconds": done["eval_seconds"].mean(),
        "train_episodes": told["episodes"].sum(min_count=1),
        "expected_violations": promised["expected"].sum(min_count=1),
        "promised_violations": promised["counted"].sum(min_count=1),
        "train_violations": told["counted"].sum(min_count=1),
        "held": bool(held.all()) if len(held) else None,
        "failed_cells": int((cells["status"] != "finished").sum()),
        "unfinished_cells": missing,
    }
