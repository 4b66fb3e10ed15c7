"""The page on plug-ins: its classes pass the checks, and a study takes them by entry point."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from sport_ray.constraints import CONSTRAINTS
from sport_ray.experiments.task_policies import SOURCES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "plug-ins.md").read_text(encoding="utf-8")
MODULES = ("my_shifts", "my_sources", "test_mine")


def block(name: str) -> str:
    """The block of the page that begins with a comment of that file's name."""
    [found] = re.findall(rf"```python\n# {name}\n(.*?)```", PAGE, flags=re.DOTALL)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the page's modules, as an installation leaves it: with entry points."""
    path = tmp_path_factory.mktemp("plug_ins")
    for name in MODULES:
        (path / f"{name}.py").write_text(block(f"{name}.py"), encoding="utf-8")
    [announced] = re.findall(
        r"```toml\n# pyproject.toml of your package\n(.*?)```", PAGE, re.DOTALL
    )
    lines = re.sub(r'\[project\.entry-points\."(.+?)"\]', r"[\1]", announced).replace('"', "")
    info = path / "my_plug_ins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plug-ins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(lines)
    return path


def run(folder: Path, *command: object) -> str:
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True,
        timeout=590, env=os.environ | {"COLUMNS": "200", "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_checklist_of_the_page_runs_as_it_stands(folder: Path) -> None:
    told = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
    assert "23 passed" in told  # eleven checks of two constraints, and the source


STUDY = {
    "name": "plugged",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 25},
    "task_policies": {"nudge": {"size": 0.02}},
    "sweep": {"eps_max": [0.5], "constraints": ["step_shift"], "horizons": [25], "seeds": [0]},
    "evaluation": {"num_scenarios": 60, "beta": 1e-3},
}


@pytest.mark.slow
def test_a_study_takes_them_by_entry_point_in_every_worker(folder: Path) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    cli = ("-m", "sport_ray.experiments.cli.main")
    told = run(folder, *cli, "run", "study.yaml")
    results = folder / "results" / "plugged"
    cells = pd.read_csv(results / "cells.csv", dtype={"cell_id": str})
    assert set(cells["status"]) == {"finished"}, told
    assert set(cells["source"]) == {"my_sources:nudge"}
    assert set(cells["constraint"]) == {"my_shifts:step_shift", "unconstrained"}
    ledger = (results / "ledger.jsonl").read_text().splitlines()
    [started] = [e for e in map(json.loads, ledger) if e["event"] == "sweep started"]
    assert set(started["plugins"]) == {"my_sources:nudge", "my_shifts:step_shift"}
    assert set(started["plugins"]["my_shifts:step_shift"]) == {"my_shifts"}

    # Other code, other cells; a bundle of the old ones is refused.
    cell = cells[cells["constraint"] == "my_shifts:step_shift"]["cell_id"].iloc[0]
    run(folder, *cli, "export", cell, "--results", "results/plugged", "--out", "bundle")
    assert "holds" in run(folder, *cli, "verify", "bundle", "--trust-module", "my_shifts")
    with (folder / "my_shifts.py").open("a", encoding="utf-8") as file:
        file.write("# another version\n")
    with pytest.raises(AssertionError, match="its code is not what was recorded: my_shifts has ch"):
        run(folder, *cli, "verify", "bundle", "--trust-module", "my_shifts")
    run(folder, *cli, "sweep", "study.yaml")
    ids = {record.parent.name for record in results.glob("cells/*/record.json")}
    assert ids > set(cells["cell_id"])
    assert len(ids) == 3  # that without the constraint is the same


def test_the_classes_of_the_page_have_their_names(folder, monkeypatch) -> None:
    monkeypatch.syspath_prepend(folder)
    shifts = importlib.import_module("my_shifts")
    sources = importlib.import_module("my_sources")
    try:
        assert CONSTRAINTS["my_shifts:step_shift"] is shifts.StepShift
        assert SOURCES["my_sources:nudge"] is sources.NudgeSource
    finally:
        for registry, name in (
            (CONSTRAINTS, "my_shifts:step_shift"),
            (SOURCES, "my_sources:nudge"),
        ):
            registry.pop(name, None)
        for name in ("my_shifts", "my_sources"):
            sys.modules.pop(name, None)
