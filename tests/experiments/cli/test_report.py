"""What is said of a study's MLflow store, of one base and of several."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cli.report import print_opening, report_folder
from sport_ray.tracking.console import PlainConsole
from tests.tracking.conftest import write_study


def said(folder: Path, uri: str | None) -> list[str]:
    told = io.StringIO()
    print_opening(PlainConsole(file=told, width=1000), folder, uri)
    return told.getvalue().splitlines()


@pytest.mark.slow  # MLflow is imported
def test_each_base_s_own_store_is_named_and_one_of_all_once(tmp_path: Path) -> None:
    root = tmp_path / "several"
    root.mkdir()
    (root / "study.json").write_text(json.dumps({"name": "several", "bases": ["a", "b", "c"]}))
    one = write_study(tmp_path)
    for base in ("a", "b"):  # the third has not begun
        shutil.copytree(one, root / base)
    assert said(root, None) == [
        "base a",
        f"MLflow store: sqlite:///{root}/a/mlflow.db",
        "base b",
        f"MLflow store: sqlite:///{root}/b/mlflow.db",
    ]
    shared = f"sqlite:///{tmp_path}/all.db"
    assert said(root, shared) == [f"MLflow store: {shared}"]
    assert said(one, None) == [f"MLflow store: sqlite:///{one}/mlflow.db"]


def test_a_column_that_no_page_has_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0,), horizons=(21,), seeds=(0,))
    before = sorted(folder.rglob("*"))
    console = PlainConsole(file=io.StringIO())
    with pytest.raises(UserError, match="a column of 0 inches: give a width from"):
        report_folder(console, folder, None, track=False, uri=None, column=0.0)
    assert sorted(folder.rglob("*")) == before
