"""`sport-ray status`: what a folder says, whatever state it is in."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.experiments.cli.status import print_status, resuming
from sport_ray.experiments.results.ledger import Ledger
from sport_ray.experiments.results.process import process_identity
from sport_ray.experiments.results.status import Status, locate, read_status
from sport_ray.experiments.storage.origin import claim_home
from sport_ray.experiments.storage.place import Place

FREE, ONE, TWO = [f"{'f' * 15}{i}" for i in range(3)], "a" * 16, "b" * 16
JOBS = [
    {"kind": "unconstrained", "cells": FREE},
    {"kind": "projected_ppo", "cells": [ONE]},
    {"kind": "projected_ppo", "cells": [TWO]},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "results"
    root.mkdir()
    (root / "study.json").write_text('{"name": "small"}')
    plan = {"cells": [*FREE, ONE, TWO], "jobs": JOBS}
    (root / "plan.json").write_text(json.dumps(plan))
    return root


def put_record(folder: Path, cell_id: str, status: str = "finished", **more: Any) -> Path:
    path = folder / "cells" / cell_id / "record.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"cell_id": cell_id, "status": status, "source": "projected_ppo"}
    path.write_text(
        json.dumps({**record, "projected": True, "alpha": 1.5, "horizon": 25, "seed": 0, **more})
    )
    return path


def start(folder: Path, **changes: Any) -> Ledger:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.append("sweep started", **(process_identity() | changes), planned=5, study="d")
    return ledger


def begin(ledger: Ledger, job: dict[str, Any]) -> None:
    for cell in job["cells"]:
        ledger.append("cell started", cell, kind=job["kind"], job=job["cells"][0])


def finish(ledger: Ledger, job: dict[str, Any], seconds: float) -> None:
    for cell in job["cells"]:
        ledger.append("cell finished", cell, kind=job["kind"], seconds=seconds)


def shown(status: Status) -> str:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_status(console, status)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_while_a_sweep_runs(folder):
    ledger = start(folder)
    begin(ledger, JOBS[0])
    begin(ledger, JOBS[1])
    finish(ledger, JOBS[1], 10.0)
    put_record(folder, ONE)
    put_record(folder, TWO, "failed", reason="ArithmeticError: [bold]diverged\nbadly " + "x" * 99)
    begin(ledger, JOBS[2])
    put_record(folder, FREE[0])  # the job goes on: its first cell is done already
    status = read_status(folder)
    ledger.close()
    assert status.sweep.state == "running"
    assert (status.done, status.running) == ([FREE[0], ONE], [*FREE[1:], TWO])
    assert (status.failed, status.not_started) == ([], [])  # TWO is tried again
    assert status.cells_per_hour is not None
    assert f"running (process {status.sweep.pid}" in shown(status)


def test_failures_are_one_line_each_with_their_reason(folder):
    put_record(folder, TWO, "failed", reason="ArithmeticError: [bold]diverged\nbadly " + "x" * 99)
    status = read_status(folder)
    assert [cell["cell_id"] for cell in status.failed] == [TWO]
    text = shown(status)
    assert f"failed {TWO} projected_ppo α=1.5 T=25 s=0" in text
    assert "ArithmeticError: [bold]diverged badly x" in text


def test_a_folder_without_ledger_and_without_plan(folder):
    put_record(folder, ONE)
    status = read_status(folder)
    assert (status.sweep.state, status.planned, status.done) == ("unknown", 5, [ONE])
    assert (status.seconds_left, status.cells_per_hour) == (None, None)
    (folder / "plan.json").unlink()
    status = read_status(folder)
    assert (status.planned, status.done, status.outside_plan) == (1, [ONE], [])
    shown(status)


@pytest.mark.parametrize("outcome", ["finished", "failed", "interrupted", "killed"])
def test_how_the_last_sweep_ended(folder, outcome):
    ledger = start(folder)
    begin(ledger, JOBS[0])
    ledger.append("sweep ended", outcome=outcome, reason="OSError: gone")
    ledger.close()
    status = read_status(folder)
    assert status.sweep.state == outcome
    assert status.running == []
    assert len(status.not_started) == 5
    text = shown(status)
    assert ("resumes with: sport-ray run " in text) == (outcome in ("interrupted", "killed"))
    assert ("OSError: gone" in text) == (outcome == "failed")


def test_a_driver_that_died_and_one_elsewhere(folder):
    ledger = start(folder, started="another:0")
    begin(ledger, JOBS[0])
    ledger.close()
    assert read_status(folder).sweep.state == "died"
    assert read_status(folder).running == []
    ledger = start(folder, host="elsewhere")
    begin(ledger, JOBS[1])
    ledger.close()
    status = read_status(folder)
    assert status.running == [ONE]  # of the last sweep, not of the one before
    assert "running on host elsewhere" in shown(status)


def test_the_ledger_never_decides_that_a_cell_is_done(folder):
    ledger = start(folder)
    for job in JOBS:
        begin(ledger, job)
        finish(ledger, job, 1.0)
    ledger.append("sweep ended", outcome="finished")
    ledger.close()
    put_record(folder, ONE)
    cut = put_record(folder, TWO)
    cut.write_bytes(cut.read_bytes()[:20])
    status = read_status(folder)
    assert status.done == [ONE]
    assert set(status.not_started) == {TWO, *FREE}
    assert (status.damaged_records, status.lost_records) == ([TWO], FREE)
    assert "1 record is damaged: that cell will" in shown(status)
    assert f"{len(FREE)} records are gone: those cells will" in shown(status)


def test_records_outside_the_present_plan(folder):
    put_record(folder, ONE)
    put_record(folder, "c" * 16)
    status = read_status(folder)
    assert (status.done, status.outside_plan) == ([ONE], ["c" * 16])
    assert "1 record outside the present plan is kept" in shown(status)


def test_the_time_left(folder):
    """Medians by kind, times what is missing, by how many ran at a time; less what is spent."""
    ledger = start(folder)
    begin(ledger, JOBS[0])
    begin(ledger, JOBS[1])
    for cell in FREE[1:]:
        ledger.append("cell finished", cell, kind="unconstrained", seconds=3.0)
        put_record(folder, cell)
    finish(ledger, JOBS[1], 10.0)
    put_record(folder, ONE)
    now = datetime.now(UTC)
    left = read_status(folder, now=now + timedelta(seconds=1)).seconds_left
    ledger.append("sweep ended", outcome="interrupted")
    ledger.close()
    assert left == pytest.approx((3.0 - 1.0 + 10.0) / 2, abs=0.2)
    assert read_status(folder).seconds_left == pytest.approx((3.0 + 10.0) / 2)
    for cell in (FREE[0], TWO):
        put_record(folder, cell)
    assert read_status(folder).seconds_left == 0.0


def test_a_copy_without_a_study_is_named_by_its_uri(tmp_path):
    claim_home(tmp_path, Place("s3", "bucket", "st/cells"))
    (tmp_path / "results").mkdir()
    with pytest.raises(UserError, match=r"^s3://bucket/st/cells holds no study"):
        read_status(tmp_path / "results")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match=f"^{tmp_path}/other holds no study"):
        read_status(tmp_path / "other")


def test_a_damaged_ledger_line_is_said(folder):
    start(folder).close()
    path = folder / "ledger.jsonl"
    path.write_bytes(b"nonsense\n" + path.read_bytes())
    status = read_status(folder)
    assert status.damaged_ledger_lines == [1]
    assert status.sweep.state == "running"
    assert "1 line of ledger.jsonl is damaged" in shown(status)


def test_a_study_file_leads_to_its_folder(folder, tmp_path, monkeypatch):
    study = tmp_path / "study.yaml"
    study.write_text("name: small\nsweep: {alphas: [1]}\n")
    (folder / "study.yaml").write_text("name: small\nsweep:\n  alphas: [1]  # the same\n")
    assert locate(study, folder) == (folder, False)
    assert locate(folder, None) == (folder, False)
    study.write_text("name: small\nsweep: {alphas: [1, 2]}\n")
    assert locate(study, folder) == (folder, True)
    assert "the study file has changed" in shown(read_status(folder, study_changed=True))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no result folder results/small: .*sport-ray run"):
        locate(study, None)


@pytest.mark.parametrize("text", ["", "- 1", "sweep: {}", "name: [", "name: 3"])
def test_a_study_file_that_is_none(tmp_path, text):
    study = tmp_path / "study.yaml"
    study.write_text(text)
    with pytest.raises(UserError, match="study file"):
        locate(study, None)
    with pytest.raises(UserError, match="does not exist"):
        locate(tmp_path / "nothing.yaml", None)


def test_a_folder_that_is_none(tmp_path, folder):
    with pytest.raises(UserError, match="holds no study"):
        read_status(tmp_path)
    (folder / "plan.json").write_text('{"cells": 3}')
    with pytest.raises(UserError, match=r"damaged file .*plan\.json"):
        read_status(folder)


def test_the_command_is_quick_and_fits_scripts(folder):
    """Neither Ray nor torch is loaded; --json is one object."""
    put_record(folder, ONE)
    script = (
        "import sys\n"
        "from sport_ray.experiments.cli.main import app\n"
        f"app(['status', {str(folder)!r}, '--json'], standalone_mode=False)\n"
        "heavy = {'ray', 'torch', 'mlflow', 'pandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["done"] == [ONE]
    assert found["sweep"]["state"] == "unknown"


def test_what_resumes_is_what_was_typed(folder):
    assert resuming(Path("quickstart"), None) == "sport-ray run quickstart"
    there = resuming(Path("my study.yaml"), Path("out"))
    assert there == "sport-ray run 'my study.yaml' --results out"
    named = resuming(folder, None)
    assert named == f"sport-ray run {folder / 'study.yaml'} --results {folder}"
