"""The results table of a study: one tidy row per cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tracking.files import write_atomically
from tracking.kinds import ORDER, constraint_held
from tracking.records import read_results
from tracking.schema import COLUMN_NAMES, COLUMNS, METHODS

SORT_KEYS = ["horizon", "method", "constraint", "alpha", "eps_max", "seed"]
_DTYPES: dict[str, Any] = {"str": "str", "int": "Int64", "float": "float64"}


def load_results(path: str | Path) -> pd.DataFrame:
    """The table of a result folder: one row per cell, sorted by `SORT_KEYS`.

    Columns, units and meanings: `tracking.schema.COLUMNS`; what does not apply is missing (NaN,
    <NA>): an unconstrained cell has no alpha, and neither has one under a budget
    (`tracking.kinds` tells them apart). Failed cells are rows like any other: filter on `status`.
    Two further boolean columns are derived: `constraint_held`, the finished cell kept to its
    constraint in evaluation (`tracking.kinds.constraint_held` says what that means for each
    kind), and `certified`, it did and its prior bound is below 1, so that the bound says something.

    Raises UserError if the folder holds no results or a damaged record.
    """
    return results_table(read_results(path).records)


def results_table(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table of records that were read already; see `load_results`."""
    frame = pd.DataFrame.from_records(list(records))
    extra = sorted(set(frame.columns) - set(COLUMN_NAMES))
    frame = frame.reindex(columns=[*COLUMN_NAMES, *extra])
    for column in COLUMNS:
        frame[column.name] = frame[column.name].astype(_DTYPES[column.kind])
    frame["constraint_held"] = constraint_held(frame)
    frame["certified"] = frame["constraint_held"] & (frame["prior_bound"] < 1)
    orders = {"method": {name: rank for rank, name in enumerate(METHODS)}, "constraint": ORDER}
    frame = frame.sort_values(
        [*SORT_KEYS, "cell_id"],
        key=lambda values: values.map(orders[values.name]) if values.name in orders else values,
        na_position="last",
        kind="stable",
    )
    return frame.reset_index(drop=True)


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of any table as dictionaries of plain values, None where something is missing."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def cells_csv(frame: pd.DataFrame) -> str:
    """The table as CSV: shortest decimal that reads back to the same float64, empty if missing."""
    return frame.to_csv(index=False, lineterminator="\n")


def write_cells_csv(frame: pd.DataFrame, path: Path) -> Path:
    """Write the table to `path` atomically."""
    return write_atomically(path, cells_csv(frame))
