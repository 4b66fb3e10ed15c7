"""sport-ray scpo: files, a summary, and one line for a mistake."""

from __future__ import annotations

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.cli import app
from experiments.scpo_commands import NAMES, scpo_command
from sport_ray.errors import UserError
from sport_ray.scpo.examples import EXPERIMENTS


def test_the_names_are_those_of_the_experiments():
    assert set(NAMES) == set(EXPERIMENTS)


def test_regression_writes_its_files_and_says_what_happened(tmp_path):
    done = CliRunner(env={"COLUMNS": "160"}).invoke(
        app, ["scpo", "regression", "--out", str(tmp_path / "new"), "--seed", "1"]
    )
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(tmp_path / "new" / "scpo-regression.csv")
    assert set(rows["run"]) == {"scpo", "unconstrained"}
    assert (rows.loc[rows["run"] == "scpo", "max_constraint"] <= 0).all()
    assert (rows.loc[rows["run"] == "unconstrained", "max_constraint"] > 0).any()
    assert (tmp_path / "new" / "scpo-regression.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "new" / "scpo-regression.svg").read_text()
    assert "ever above 0" in done.output
    assert "L is given by analysis" in done.output


def test_mistakes_are_one_line(tmp_path):
    with pytest.raises(UserError, match="experiment 'pendulum' is unknown"):
        scpo_command("pendulum", tmp_path)
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(UserError, match="is a file"):
        scpo_command("regression", taken)
