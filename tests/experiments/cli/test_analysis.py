"""sport-ray compare and publish, as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from sport_ray.experiments.cli.main import app
from sport_ray.tracking.report.write import write_report
from tests.tracking.conftest import write_study


def test_compare_prints_and_writes(tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folders.append(write_study(tmp_path / name, name=name, alphas=(1.0, 1.5), horizons=(21,)))
    study = json.loads((folders[1] / "study.json").read_text())
    (folders[1] / "study.json").write_text(json.dumps(study | {"note": 1}))
    out = tmp_path / "out.csv"
    done = CliRunner().invoke(app, ["compare", *map(str, folders), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("No difference can be shown.")
    assert "The same base policy, environment and property." in done.output
    assert "note" in done.output
    assert out.read_text().startswith("setting,source,projected")


def test_publish_says_what_was_run_and_not_where(tmp_path: Path) -> None:
    folder = write_study(tmp_path, alphas=(1.0, 1.5), horizons=(21,))
    write_report(folder)
    out = tmp_path / "published"
    done = CliRunner().invoke(app, ["publish", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    text = (out / "README.md").read_text()
    assert "`sport-ray run study.yaml`" in text
    assert str(tmp_path) not in text
