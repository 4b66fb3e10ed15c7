"""The results table of a study: one tidy row per cell."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.kinds import constraint_held, ranks
from sport_ray.tracking.results.limit_choices import choices_of, risks_from_data
from sport_ray.tracking.results.parameters import order_of
from sport_ray.tracking.results.record import COLUMN_NAMES, COLUMNS
from sport_ray.tracking.results.records import Results, read_results
from sport_ray.tracking.results.refutation import Refutation, find_refutations
from sport_ray.tracking.results.task_policies import TITLES

SCHEMA_NAME = "sport-ray/cells/1"
LEVEL = "limit_level"
DERIVED = {
    "constraint_held": "finished, and kept to its constraint in all of its evaluation",
    "certified": "constraint_held, the prior bound is below 1, and no cell of the study is refuted",
    "refuted": "the cell's own evaluation contradicts what was promised of it (the alarm)",
    LEVEL: "risk that scenarios of the base promise of it; empty: none, or it is refuted",
}
"""Columns that `load_results` adds to those of the records, booleans but for the last."""
REFUTATION = "refutation"
"""A column of texts, where a cell is refuted: what was promised and what was seen."""
SORT_KEYS = [
    "horizon",
    "source",
    "projected",
    "constraint",
    "alpha",
    "eps_max",
    "limit_rank",
    "hyperparameters",
    "seed",
]
_DTYPES: dict[str, Any] = {"str": "str", "int": "Int64", "float": "float64", "bool": "bool"}


def load_results(path: str | Path) -> pd.DataFrame:
    """The table of a result folder: one row per cell, sorted by `SORT_KEYS`.

    Columns, units and meanings: `sport_ray.tracking.results.record.COLUMNS`; what does not apply is
    missing (NaN, <NA>): an unconstrained cell has no alpha, and neither has one under a budget
    (`sport_ray.tracking.results.kinds` tells them apart). Failed cells are rows like any other:
    filter on `status`. Three boolean columns are derived: `constraint_held`, the finished cell kept
    to its constraint in evaluation (`sport_ray.tracking.results.kinds.constraint_held` says what
    that means for each kind); `certified`, it did and its prior bound is below 1, so that the bound
    says something; and `refuted`, its evaluation contradicts its promise
    (`sport_ray.tracking.results.refutation`). One refuted cell leaves no cell of its study
    certified, and has a further column, `refutation`, say why. `limit_level` is the risk that a
    limit's test on scenarios of the base promises (`sport_ray.tracking.results.limit_choices`).

    A record that cannot be read is left out, with a warning (``UserWarning``) that names it.
    Raises UserError if the folder holds no results or its plan or certificate is damaged.
    """
    folder = read_results(path)
    for one in folder.unreadable:
        warnings.warn(f"left out of the table: {one.text}", UserWarning, stacklevel=2)
    return table_of(folder)


def table_of(results: Results) -> pd.DataFrame:
    """The table of results that were read already; see `load_results`.

    Without a certificate no record can be checked, and none is certified.
    """
    frame = results_table(results.records, results.planned, results.refutations)
    if results.certificate is None:
        frame["certified"] = False
        frame[LEVEL] = math.nan
    return frame


def results_table(
    records: Sequence[dict[str, Any]],
    planned: int | None = None,
    refutations: Sequence[Refutation] | None = None,
) -> pd.DataFrame:
    """The table of some records.

    planned: cells of the whole study, by which the alarm's level is split. refutations: those of
    the whole study; by default of these records alone.
    """
    frame = pd.DataFrame.from_records(list(records))
    extra = sorted(set(frame.columns) - {*COLUMN_NAMES, *DERIVED, REFUTATION})
    frame = frame.reindex(columns=[*COLUMN_NAMES, *extra])
    for column in COLUMNS:
        frame[column.name] = frame[column.name].astype(_DTYPES[column.kind])
    for name in extra:
        frame[name] = _settled(frame[name])
    frame["constraint_held"] = constraint_held(frame)
    if refutations is None:
        refutations = find_refutations(plain_rows(frame), planned)
    refuted = {one.cell_id: one.text for one in refutations}
    frame["certified"] = frame["constraint_held"] & (frame["prior_bound"] < 1) & (not refuted)
    frame["refuted"] = frame["cell_id"].isin(set(refuted))
    risks = {} if refuted else risks_from_data(choices_of(plain_rows(frame)))
    level = frame["cell_id"].map(risks).astype("float64")
    frame[LEVEL] = level.where(frame["constraint_held"])
    if refuted:
        frame[REFUTATION] = frame["cell_id"].map(refuted).astype(_DTYPES["str"])
    others = sorted(set(frame["source"].dropna()) - set(TITLES))  # after the known ones, by name
    orders: dict[Any, dict[Any, int]] = {
        "source": {name: rank for rank, name in enumerate([*TITLES, *others])},
        "projected": {True: 0, False: 1},
        "constraint": ranks(frame["constraint"]),
    }
    texts = sorted(frame["hyperparameters"].dropna().unique(), key=order_of)
    orders["hyperparameters"] = {text: rank for rank, text in enumerate(texts)}
    frame = frame.sort_values(
        [*SORT_KEYS, "cell_id"],
        key=lambda values: values.map(orders[values.name]) if values.name in orders else values,
        na_position="last",
        kind="stable",
    )
    return frame.reset_index(drop=True)


def _settled(values: pd.Series) -> pd.Series:
    """A further column in one type, which every file format takes: of mixed values their texts."""
    if values.dtype != object:
        return values
    known = [value for value in values if not (isinstance(value, float) and math.isnan(value))]
    kinds = {type(value) for value in known if value is not None}
    if kinds <= {bool} or kinds <= {str}:
        return values
    texts = {
        index: value if isinstance(value, str) else json.dumps(value, default=str)
        for index, value in values.items()
        if isinstance(value, (list, dict)) or not pd.isna(value)
    }
    found: pd.Series = pd.Series(texts, index=values.index, dtype=_DTYPES["str"])
    return found


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of any table as dictionaries of plain values, None where something is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    names = [str(name) for name in plain.columns]
    return [dict(zip(names, row, strict=True)) for row in plain.itertuples(index=False, name=None)]


def write_cells_parquet(frame: pd.DataFrame, path: Path) -> Path:
    """Write the table to `path` as Parquet, atomically: what `load_results` gave reads back.

    Each documented column has its ``unit`` and ``meaning`` in the metadata of its field
    (``pyarrow.parquet.read_schema(path).field(name).metadata``), the file ``SCHEMA_NAME`` under
    ``schema``. A column that is empty throughout keeps its type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    kinds = {column.name: types[column.kind] for column in COLUMNS}
    about = {column.name: {"unit": column.unit, "meaning": column.meaning} for column in COLUMNS}
    about |= {
        name: {"unit": "probability" if name == LEVEL else "", "meaning": meaning}
        for name, meaning in DERIVED.items()
    }
    inferred = pa.Schema.from_pandas(frame, preserve_index=False)
    fields = [
        pa.field(field.name, kinds.get(field.name, field.type), metadata=about.get(field.name))
        for field in inferred
    ]
    metadata = {**(inferred.metadata or {}), b"schema": SCHEMA_NAME.encode()}
    schema = pa.schema(fields, metadata=metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), sink)
    return write_atomically(path, sink.getvalue().to_pybytes())
