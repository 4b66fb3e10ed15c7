"""The results table: schema, order, missing values, CSV."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sport_ray.tracking import load_results
from sport_ray.tracking.results.csv_text import csv_text, write_csv
from sport_ray.tracking.results.record import COLUMN_NAMES, COLUMNS
from sport_ray.tracking.results.table import (
    DERIVED,
    SCHEMA_NAME,
    plain_rows,
    results_table,
    write_cells_parquet,
)


def test_one_row_per_cell_with_documented_columns(results: Path) -> None:
    frame = load_results(results)
    assert len(frame) == 52
    assert list(frame.columns) == [*COLUMN_NAMES, *DERIVED]
    assert frame["horizon"].dtype == "Int64"
    assert frame["alpha"].dtype == "float64"


def test_sorted_by_horizon_source_alpha_seed_with_unconstrained_last(results: Path) -> None:
    frame = load_results(results)
    order = ["projected_ppo", "unconstrained"]
    infinity = float("inf")
    keys = [
        (
            row["horizon"],
            order.index(row["source"]),
            not row["projected"],
            infinity if row["alpha"] is None else row["alpha"],
            row["seed"],
        )
        for row in plain_rows(frame)
    ]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert pd.isna(frame["alpha"].iloc[-1])


def test_values_are_those_of_the_records(results: Path) -> None:
    rows = {row["cell_id"]: row for row in plain_rows(load_results(results))}
    for file in results.glob("cells/*/record.json"):
        record = json.loads(file.read_text())
        assert {name: rows[record["cell_id"]][name] for name in record} == record


def test_a_failed_cell_is_a_row_with_its_reason(results: Path) -> None:
    frame = load_results(results)
    failed = frame[frame["status"] == "failed"]
    assert list(failed["reason"]) == ["worker died: out of memory"]
    assert failed["num_scenarios"].isna().all()
    assert not failed["certified"].any()


def test_certified_needs_a_bound_below_one_and_the_constraint_held(results: Path) -> None:
    record = next(
        json.loads(file.read_text())
        for file in sorted(results.glob("cells/*/record.json"))
        if json.loads(file.read_text())["alpha"] == 1.1
    )

    def certified(**changes: object) -> bool:
        return bool(results_table([record | changes])["certified"].iloc[0])

    assert certified()
    assert not certified(max_log_ratio=record["log_alpha"] + 1e-12)
    assert not certified(max_log_ratio=None)
    assert not certified(prior_bound=1.0)
    assert not certified(prior_bound=None)
    assert not certified(status="failed")


def test_further_fields_follow_the_documented_columns(make_results) -> None:
    folder = make_results(change=lambda record: record | {"renyi_bound": 0.25, "a_note": "x"})
    frame = load_results(folder)
    assert list(frame.columns[-6:]) == ["a_note", "renyi_bound", *DERIVED]
    assert (frame["renyi_bound"] == 0.25).all()


def test_csv_reads_back_to_the_same_numbers(results: Path, tmp_path: Path) -> None:
    frame = load_results(results)
    file = write_csv(frame, tmp_path / "out" / "cells.csv")
    assert file.read_text() == csv_text(frame)
    again = pd.read_csv(file, dtype={"cell_id": str})
    assert list(again["cell_id"]) == list(frame["cell_id"])
    for name in ("prior_bound", "posterior_bound", "mean_steps_to_goal", "max_log_ratio"):
        pd.testing.assert_series_equal(again[name], frame[name], check_exact=True)
    assert [p.name for p in file.parent.iterdir()] == ["cells.csv"]


def test_parquet_reads_back_to_the_same_table(make_results, tmp_path: Path) -> None:
    frame = load_results(make_results(change=lambda record: record | {"renyi_bound": 0.25}))
    file = write_cells_parquet(frame, tmp_path / "out" / "cells.parquet")
    again = pd.read_parquet(file)
    pd.testing.assert_frame_equal(again, frame, check_exact=True)
    assert [p.name for p in file.parent.iterdir()] == ["cells.parquet"]
    before = file.read_bytes()
    assert write_cells_parquet(frame, file).read_bytes() == before


def test_parquet_says_what_every_column_is(results: Path, tmp_path: Path) -> None:
    file = write_cells_parquet(load_results(results), tmp_path / "cells.parquet")
    schema = pq.read_schema(file)
    assert schema.metadata[b"schema"].decode() == SCHEMA_NAME
    for column in COLUMNS:
        about = schema.field(column.name).metadata
        assert about[b"unit"].decode() == column.unit
        assert about[b"meaning"].decode() == column.meaning
    assert schema.field("certified").metadata[b"meaning"]
    # No cell of this study has an ε_max or an off-policy refusal: empty columns keep their type.
    assert schema.field("eps_max").type == pa.float64()
    assert schema.field("off_policy_refusal").type == pa.string()
    assert schema.field("horizon").type == pa.int64()


def test_a_table_is_quick_to_get(results: Path) -> None:
    program = (
        "import sys, tracking; tracking.load_results(sys.argv[1]);"
        "print([n for n in ('mlflow', 'matplotlib', 'ray', 'torch') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(results)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_public_names_are_lazy_and_unknown_ones_an_error() -> None:
    from sport_ray import tracking

    assert callable(tracking.write_report)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tracking.nothing
