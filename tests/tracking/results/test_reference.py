"""The documents say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.tracking.mlflow.artefacts import SWEEP_FILES
from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.tracking.results.reference import DOCUMENTS, metrics_table, renewed
from sport_ray.tracking.results.table import DERIVED, SCHEMA_NAME, SORT_KEYS

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_document_is_up_to_date(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert renewed(text, DOCUMENTS[name]()) == text, (
        "run: python -m sport_ray.tracking.results.reference"
    )


def test_every_metric_and_every_column_has_its_row() -> None:
    for name, wanted in {
        "metrics.md": [*METRICS],
        "results-table.md": [*(column.name for column in COLUMNS), *DERIVED],
    }.items():
        lines = (DOCS / name).read_text(encoding="utf-8").splitlines()
        found = [line.split("`")[1] for line in lines if line.startswith("| `")]
        assert [one for one in found if not one.startswith("sport_ray.")] == wanted
    assert all(line.count(" | ") == 3 for line in metrics_table().splitlines())


def test_what_the_documents_say_by_hand() -> None:
    table = (DOCS / "results-table.md").read_text(encoding="utf-8")
    assert SCHEMA_NAME in table
    assert f"by {', '.join(SORT_KEYS[:-1])} and {SORT_KEYS[-1]}" in table
    metrics = (DOCS / "metrics.md").read_text(encoding="utf-8")
    tables = [name for name in SWEEP_FILES if not name.startswith("conservativeness_")]
    tables.remove("conservativeness.csv")  # 'and its tables'
    assert [name for name in tables if f"`{name}`" not in metrics] == []


def test_a_document_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"from here: python -m sport_ray\.tracking"):
        renewed("no marks", "| |")
