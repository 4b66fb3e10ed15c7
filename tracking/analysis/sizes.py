"""What N buys: the certificate, the largest α or budget, and steps saved, for each N and ε_max."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sport_ray.bounds import scenario_bound
from sport_ray.errors import UserError
from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.results.bases import with_results
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.table import table_of
from sport_ray.tracking.results.task_policies import series_of

COLUMNS = {
    "num_scenarios": "N, scenarios of the certificate",
    "horizon": "T, actions",
    "num_violations": "k, of the certificate's scenarios within T steps",
    "eps_base": "certified bound of the base's risk at T",
    "floor": "what it would be without a violation: 1 − β^(1/N)",
    "eps_max": "acceptable risk",
    "kind": "constraint and whose policies, in words; empty: ε_max is out of reach, below ε_base",
    "constraint": "kind of constraint",
    "series": "source of the policies and how they are used",
    "alpha": "largest density ratio that ε_max permits at each step; empty: a budget",
    "log_budget": "largest budget of the realised log ratio of a path, nats; empty: a ratio",
    "saved": "mean task steps of the base less those of the policy, paired by seed",
    "saved_low": "lower end of its 95% t-interval over seeds; empty from one seed",
    "saved_high": "its upper end",
    "of_ceiling": "saved over what the ceiling saves; empty where that is not known",
    "prior_bound": "what is certified, at most eps_max",
    "worst_violation_rate": "observed violation rate of the worst seed",
    "seeds": "finished seeds",
}
"""Columns of ``what_n_buys.csv``, with their meaning."""
_OF_SPEEDUP = ["saved", "saved_low", "saved_high", "of_ceiling", "prior_bound",
               "worst_violation_rate", "seeds", "kind", "constraint", "series"]  # fmt: skip


def what_n_buys(folders: Mapping[str, Results]) -> pd.DataFrame:
    """One row per N, T, ε_max and kind; columns ``COLUMNS``.

    folders: results of the parts of a study over several sizes. A level that is out of reach of an
    N, and not of every one, has one row without a kind.
    """
    rows: list[dict[str, Any]] = []
    frames = {name: table_of(folder) for name, folder in folders.items()}
    levels = sorted({float(one) for frame in frames.values() for one in frame["eps_max"].dropna()})
    for name, folder in folders.items():
        frame = frames[name]
        found = speedup_table(folder, frame)
        found = found[found["constraint"].notna()]
        certificate = folder.certificate
        if certificate is None:
            continue
        size, table = int(certificate["num_scenarios"]), certificate["table"]
        for horizon in sorted({int(one) for one in frame["horizon"].dropna()}):
            done = frame[(frame["status"] == "finished") & (frame["horizon"] == horizon)]
            if done.empty:
                continue
            about = {
                "num_scenarios": size,
                "horizon": horizon,
                "num_violations": int(table["num_violations"][horizon - 1]),
                "eps_base": float(done["eps_base"].iloc[0]),
                "floor": scenario_bound(size, 0, float(certificate["beta"])),
            }
            for eps_max in levels:
                rows += _at_level(about | {"eps_max": eps_max}, done, found)
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values(
        ["horizon", "eps_max", "kind", "num_scenarios"], kind="stable", na_position="first"
    )


def _at_level(
    about: dict[str, Any], done: pd.DataFrame, found: pd.DataFrame
) -> list[dict[str, Any]]:
    """The rows of one N, T and ε_max."""
    at = found[(found["horizon"] == about["horizon"]) & (found["eps_max"] == about["eps_max"])]
    if at.empty:
        return [about | {"kind": None}]
    cells = done[done["eps_max"] == about["eps_max"]]
    series = series_of(cells)
    rows = []
    for row in at.to_dict("records"):
        own = cells[(cells["constraint"] == row["constraint"]) & (series == row["series"])]
        limits = {name: _one(own[name]) for name in ("alpha", "log_budget")}
        rows.append(about | limits | {name: row[name] for name in _OF_SPEEDUP})
    return rows


def _one(values: pd.Series) -> float:
    """The value that all seeds share; NaN without any."""
    known = values.dropna()
    return float(known.iloc[0]) if len(known) else math.nan


def read_sizes(root: Any) -> dict[str, Results]:
    """The results of each size that has any, by its name, the smallest N first.

    Raises:
        UserError: none has results, or one cannot be read.
    """
    folders = {
        name: found
        for name, path in with_results(root).items()
        if (found := read_results(path, may_be_empty=True)).records
    }
    if not folders:
        raise UserError(f"no results of any size in {root}: run `sport-ray run STUDY.yaml` first")
    sized = {name: int((one.certificate or {}).get("num_scenarios", 0))
             for name, one in folders.items()}  # fmt: skip
    return dict(sorted(folders.items(), key=lambda one: sized[one[0]]))
