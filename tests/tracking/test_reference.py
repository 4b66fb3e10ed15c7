"""The documents say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.tracking.analysis import side_by_side, steps_saved
from sport_ray.tracking.analysis.speedup import MEANINGS
from sport_ray.tracking.mlflow.artefacts import SWEEP_FILES
from sport_ray.tracking.mlflow.finding import FINDINGS
from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.reference import COMMAND, PAGE, metrics_table, renewed
from sport_ray.tracking.results.curves import QUANTITIES
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.tracking.results.table import DERIVED, SCHEMA_NAME, SORT_KEYS

TEXT = (Path(__file__).parents[2] / PAGE).read_text(encoding="utf-8")


def test_the_page_is_up_to_date() -> None:
    assert renewed(TEXT) == TEXT, f"run: {COMMAND}"


def test_every_metric_and_every_column_has_its_row() -> None:
    found = [line.split("`")[1] for line in TEXT.splitlines() if line.startswith("| `")]
    wanted = [*(column.name for column in COLUMNS), *DERIVED, *MEANINGS]
    wanted += [*side_by_side.COLUMNS, *steps_saved.COLUMNS, *QUANTITIES, *METRICS, *FINDINGS]
    files = [one for one in found if "." in one or "/" in one]  # and tags
    assert [one for one in found if one not in files] == wanted
    assert all(line.count(" | ") == 3 for line in metrics_table().splitlines())


def test_what_the_page_says_by_hand() -> None:
    assert SCHEMA_NAME in TEXT
    assert f"by {', '.join(SORT_KEYS[:-1])} and {SORT_KEYS[-1]}" in " ".join(TEXT.split())
    assert [name for name in SWEEP_FILES if f"`{name}`" not in TEXT] == []


def test_a_page_without_the_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"columns: python -m sport_ray\.tracking"):
        renewed("no marks")
