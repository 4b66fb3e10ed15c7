"""The tracking server away, hanging, or reached with a password that nobody else may see."""

from __future__ import annotations

import base64
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sport_ray.experiments.results.status import read_status
from tests.experiments.faults.harness import (
    CELLS,
    finished_and_running,
    numbers,
    records,
    require_as_undisturbed,
    require_one_run_each,
    resume,
    sport_ray,
    sweeping,
    wait_until,
    write_study,
)
from tests.mlflow_server import MlflowServer

AWAY_SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    server = MlflowServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def logged(uri: str) -> int:
    """Runs in the store."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("faults")
    return len(client.search_runs([experiment.experiment_id])) if experiment else 0


@pytest.mark.slow
@pytest.mark.fault
def test_the_server_is_away_for_a_minute(
    certified: Path, undisturbed: Path, server: MlflowServer
) -> None:
    """Killed once a cell is there, started again on the same port and store a minute later."""
    write_study(
        certified.parent / "study.yaml", {"tracking": {"uri": server.uri}}, seeds=[*range(12)]
    )
    cells = 12 * CELLS // 2
    with sweeping(certified) as driver:
        wait_until(driver, lambda: len(records(certified)) >= 1)
        wait_until(driver, lambda: logged(server.uri) >= 2)  # the parent and a cell
        server.kill()
        assert len(records(certified)) < cells
        back = threading.Timer(AWAY_SECONDS, server.start)
        back.start()
        driver.note()
        out, err = driver.communicate(timeout=300)
        back.join()
    assert driver.returncode == 0, out + err
    assert f"{cells} of {cells} cells finished" in out
    assert "send them later" not in out, out
    assert "Traceback" not in out + err
    status = read_status(certified)
    assert (len(status.done), status.sweep.state) == (cells, "finished")
    same = numbers(certified)
    assert {cell: same[cell] for cell in numbers(undisturbed)} == numbers(undisturbed)
    require_one_run_each(certified, server.uri)


@pytest.mark.slow
@pytest.mark.fault
def test_ctrl_c_while_the_server_hangs(
    certified: Path, undisturbed: Path, server: MlflowServer
) -> None:
    """It takes connections and does not answer: Ctrl-C still ends the sweep in seconds.

    What it was asked before it froze it does when it wakes up: no run may be there twice.
    """
    write_study(certified.parent / "study.yaml", {"tracking": {"uri": server.uri}})
    with sweeping(certified) as driver:
        wait_until(driver, lambda: len(records(certified)) >= 1)
        wait_until(driver, lambda: logged(server.uri) >= 2)
        server.signal(signal.SIGSTOP)
        wait_until(driver, lambda: finished_and_running(certified))
        driver.note()
        os.killpg(driver.pid, signal.SIGINT)
        pressed = time.monotonic()
        out, err = driver.communicate()
        took = time.monotonic() - pressed
    server.signal(signal.SIGCONT)
    assert driver.returncode == 130, out + err
    assert took < 60.0  # ten, and what a busy machine needs; the server's silence lasts minutes
    assert "Traceback" not in out + err
    assert len(records(certified)) < CELLS
    resume(certified)
    require_as_undisturbed(certified, undisturbed, server.uri)


SECRET = "hush-3f9c"


def holding(*folders: Path) -> list[str]:
    """Files with the secret in them, as it is or as HTTP's basic authentication writes it."""
    hidden = base64.b64encode(f"me:{SECRET}".encode())
    found = []
    for path in (path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            if SECRET.encode() in content or hidden in content:
                found.append(str(path))
    return found


@pytest.mark.slow
@pytest.mark.fault
def test_the_password_of_a_tracking_uri_is_nowhere(
    certified: Path, server: MlflowServer, tmp_path: Path
) -> None:
    """Neither in results, nor in what is said, in MLflow, or in Ray's own files."""
    (tmp_path / "outside").mkdir()
    study = write_study(
        tmp_path / "outside" / "study.yaml",
        {"tracking": {"uri": server.uri.replace("://", f"://me:{SECRET}@")}},
        seeds=[0],
        alphas=[1.5],
    )
    assert holding(study.parent) != []
    said = []
    with tempfile.TemporaryDirectory(prefix="ray") as own, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", own)
        stages = ("certify", "sweep", "run")
        said += [sport_ray(stage, study, "--results", certified) for stage in stages]
        said.append(sport_ray("report", study, "--results", certified, "--track"))
        assert list(Path(own).rglob("*.log"))
        assert holding(Path(own)) == []
    said.append(sport_ray("status", study, "--results", certified))
    assert "changed since" not in said[-1]  # though the copy in the folder lacks the password
    # From the folder alone: who may log it says so in the environment.
    said.append(sport_ray("report", certified, "--track"))
    require_one_run_each(certified, server.uri)
    server.kill()
    said.append(sport_ray("sweep", study, "--results", certified, status=2))
    study.write_text(study.read_text().replace("uri: ", "uri: not a "))
    said.append(sport_ray("sweep", study, "--results", certified, status=2))
    assert [text for text in said if SECRET in text] == []
    assert holding(certified, server.folder) == []
    assert str(server.port) in (certified / "study.yaml").read_text()
    assert str(server.port) in (certified / "report.html").read_text()
