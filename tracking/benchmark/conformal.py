"""Conformal Policy Control's choice from a list of limits, from what the list's test has kept.

The rule is the paper's (`sport_ray.comparators.conformal`): an expected risk, not one with
confidence. Each cell of a list keeps the base's scenarios that it was tested on; published results
have the choices alone, in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sport_ray.bounds.list_evidence import ListEvidence
from sport_ray.comparators.conformal import OnScenarios, conformal_choice
from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import damaged
from sport_ray.tracking.results.limit_choices import Choice
from sport_ray.tracking.results.records import Results

EVIDENCE = "limit.npz"
FILE = "conformal.csv"
COLUMNS = ["limit_list", "eps_max", "passed"]
"""Of the table: the list, the risk, and how many of its members pass."""


def conformal_choices(
    results: Results, rows: Iterable[dict[str, Any]], levels: Sequence[float]
) -> list[Choice]:
    """Each list's choice at each risk, in order; of a list with a cell that is missing, none.

    rows: cells as plain values.

    Raises:
        UserError: a damaged file.
    """
    lists: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        if row["limit_list"] is not None and row["status"] == "finished":
            lists.setdefault(str(row["limit_list"]), {})[int(row["limit_rank"])] = row
    known = _published(results.path / FILE)
    found = []
    for list_id, by_rank in lists.items():
        ranks = range(1, int(by_rank[min(by_rank)]["limit_size"]) + 1)
        if not set(ranks) <= set(by_rank):
            continue
        ids = [str(by_rank[rank]["cell_id"]) for rank in ranks]
        counts = {level: known.get((list_id, level)) for level in levels}
        if None in counts.values():
            policies = [_evidence(results.files.record(one).with_name(EVIDENCE)) for one in ids]
            counts = {level: conformal_choice(_whole(policies), level) for level in levels}
        found += [
            Choice(list_id, level, len(ids), tuple(ids[:count]))
            for level, count in counts.items()
            if count is not None
        ]
    return found


def choices_table(choices: Iterable[Choice]) -> pd.DataFrame:
    """The choices as a table that `conformal_choices` reads instead of the scenarios."""
    rows = [(one.list_id, one.level, len(one.passed)) for one in choices]
    return pd.DataFrame(rows, columns=COLUMNS)


def _whole(policies: list[OnScenarios | None]) -> list[OnScenarios]:
    """Up to the first of which nothing was kept: what is not there does not pass."""
    absent = policies.index(None) if None in policies else len(policies)
    return [one for one in policies[:absent] if one is not None]


def _evidence(file: Path) -> OnScenarios | None:
    if not file.is_file():
        return None
    try:
        kept = ListEvidence.from_bytes(file.read_bytes())
    except (OSError, UserError) as error:
        raise UserError(damaged(file, str(error), whole_cell=True)) from error
    return OnScenarios(kept.log_ratios, kept.violated, kept.log_ratio_limit)


def _published(file: Path) -> dict[tuple[str, float], int]:
    if not file.is_file():
        return {}
    table = pd.read_csv(file, dtype={"limit_list": str})
    return {
        (str(row["limit_list"]), float(row["eps_max"])): int(row["passed"])
        for row in table.to_dict("records")
    }
