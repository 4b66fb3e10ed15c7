"""Published results: small, whole, and nothing of anybody else's overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.report.publish import publish
from sport_ray.tracking.report.write import write_report

MADE_BY = "sport-ray run study.yaml"


@pytest.fixture
def results_dir(make_results: Callable[..., Path]) -> Path:
    return make_results(alphas=(1.0, 1.1), horizons=(21,), seeds=(0,))


def test_what_is_published_is_the_reports(results_dir: Path, tmp_path: Path) -> None:
    write_report(results_dir)
    out = tmp_path / "published"
    written = publish(results_dir, out, {"torch": "9.9"}, MADE_BY)
    assert {path.name for path in written} >= {"cells.csv", "pareto.csv", "certificate.json"}
    assert (out / "cells.csv").read_bytes() == (results_dir / "cells.csv").read_bytes()
    assert list((out / "figures").glob("*.png"))
    text = (out / "README.md").read_text()
    certificate = json.loads((results_dir / "certificate.json").read_text())
    assert MADE_BY in text
    assert "torch 9.9" in text
    assert certificate["digest"] in text
    assert publish(results_dir, out, {}, MADE_BY)  # again, over its own


def test_nothing_unfinished_and_nobody_elses_folder(results_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no report yet"):
        publish(results_dir, tmp_path / "out", {}, MADE_BY)
    write_report(results_dir)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match="no published results"):
        publish(results_dir, tmp_path / "mine", {}, MADE_BY)
    with pytest.raises(UserError, match="no published results"):
        publish(results_dir, results_dir, {}, MADE_BY)  # would delete what it is to copy
    assert (results_dir / "certificate.json").exists()
    record = next(results_dir.glob("cells/*/record.json"))
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "failed"}))
    with pytest.raises(UserError, match=r"1 cells of .* failed"):
        publish(results_dir, tmp_path / "out", {}, MADE_BY)


def test_results_with_cells_missing_or_an_old_table_are_no_study(
    results_dir: Path, tmp_path: Path
) -> None:
    write_report(results_dir)
    records = sorted(results_dir.glob("cells/*/record.json"))
    ids = [json.loads(record.read_text())["cell_id"] for record in records]
    (results_dir / "plan.json").write_text(json.dumps({"cells": [*ids, "f" * 16], "jobs": []}))
    with pytest.raises(UserError, match=f"1 of {len(ids) + 1} cells"):
        publish(results_dir, tmp_path / "out", {}, MADE_BY)
    (results_dir / "plan.json").write_text(json.dumps({"cells": ids[1:], "jobs": []}))
    with pytest.raises(UserError, match="older than the records"):
        publish(results_dir, tmp_path / "out", {}, MADE_BY)
