"""The alarm on the command line: first line, exit status, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.results.alarm import alarm_in, alarm_of
from sport_ray.experiments.stages.export import export_of
from sport_ray.tracking.results.refutation import EXIT_STATUS
from tests.tracking.conftest import write_study
from tests.tracking.results.test_refutation import windy


@pytest.fixture
def refuted(tmp_path: Path) -> Path:
    return write_study(tmp_path, alphas=(1.0, 1.1), horizons=(21,), change=windy)


def test_the_report_says_it_first_and_ends_with_its_status(refuted: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(refuted)])
    assert done.exit_code == EXIT_STATUS == 3, done.output
    first = done.output.splitlines()[0]
    assert first.startswith("REFUTED: ")
    assert "640 of 1,000" in first
    assert "certified risk" not in done.output


def test_status_says_it_first(refuted: Path) -> None:
    done = CliRunner().invoke(app, ["status", str(refuted)])
    assert done.exit_code == 0
    assert done.output.splitlines()[0].startswith("REFUTED: ")
    as_json = json.loads(CliRunner().invoke(app, ["status", str(refuted), "--json"]).output)
    assert as_json["refuted"].startswith("REFUTED: ")


def test_no_cell_of_the_study_is_exported(refuted: Path) -> None:
    for path in sorted((refuted / "cells").iterdir())[:3]:
        with pytest.raises(UserError, match=r"not exported: REFUTED.*640 of 1,000"):
            export_of(refuted, path.name)


def test_a_study_whose_promises_hold_ends_as_ever(tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0, 1.1), horizons=(21,))
    assert alarm_in(folder) is None
    assert alarm_of([], 0) is None
    done = CliRunner().invoke(app, ["report", str(folder)])
    assert done.exit_code == 0
    assert "REFUTED" not in done.output


def test_a_record_that_cannot_be_read_silences_no_other(refuted: Path) -> None:
    for file in sorted(refuted.glob("cells/*/record.json")):
        if json.loads(file.read_text()).get("num_violations") != 640:
            file.write_text("{")
            break
    assert (alarm_in(refuted) or "").startswith("REFUTED: ")
