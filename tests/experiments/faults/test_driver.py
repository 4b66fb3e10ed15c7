"""The driver killed, interrupted, asked to end, or started twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sport_ray.experiments.results.ledger import read_ledger
from sport_ray.experiments.results.lock import LEASE
from sport_ray.experiments.results.status import read_status
from tests.experiments.faults.harness import (
    CELLS,
    certifying,
    command,
    driving,
    finished_and_running,
    records,
    require_as_undisturbed,
    resume,
    running,
    sport_ray,
    sweeping,
    wait_until,
    write_study,
)

FAST_MOMENT = "in the middle"
MOMENTS: dict[str, Callable[[Path], bool]] = {
    "before any cell is done": lambda folder: running(folder) > 0,
    "in the middle": lambda folder: len(records(folder)) >= 4 and running(folder) > 0,
    "near the end": lambda folder: len(records(folder)) >= CELLS - 2 and running(folder) > 0,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [m if m == FAST_MOMENT else pytest.param(m, marks=pytest.mark.fault) for m in MOMENTS],
)
def test_the_driver_is_killed(moment: str, certified: Path, undisturbed: Path) -> None:
    """SIGKILL, then the same command again."""
    with sweeping(certified) as driver:
        wait_until(driver, lambda: MOMENTS[moment](certified))
        driver.send_signal(signal.SIGSTOP)  # so that it starts no further cell meanwhile
        driver.note()
        driver.kill()
        driver.wait()
    before = {p: p.stat().st_mtime_ns for p in certified.glob("cells/*/record.json")}
    assert len(before) < CELLS, "killed too late: nothing was injected"
    assert (before != {}) == (moment != "before any cell is done")
    status = read_status(certified)
    assert (status.sweep.state, status.running, status.failed) == ("died", [], [])

    resume(certified)
    require_as_undisturbed(certified, undisturbed)
    assert before == {p: p.stat().st_mtime_ns for p in before}  # what was done was not repeated
    sweeps = [
        entry["event"]
        for entry in read_ledger(certified / "ledger.jsonl").entries
        if entry["event"].startswith("sweep")
    ]
    assert sweeps == ["sweep started", "sweep started", "sweep ended"]


def contents(folder: Path) -> dict[str, bytes]:
    """The folder's own files and the certificate's: not those of workers, which go on."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and "db" not in p.name}


@pytest.mark.slow
def test_a_second_sweep_is_refused_and_ctrl_c_ends_the_first(
    certified: Path, undisturbed: Path
) -> None:
    """Ctrl-C as a terminal sends it: to the whole group."""
    study = certified.parent / "study.yaml"
    other = write_study(certified.parent / "other.yaml", seeds=[0, 1, 2])
    with sweeping(certified) as driver:
        wait_until(driver, (certified / "ledger.jsonl").exists)
        wait_until(driver, lambda: read_status(certified).sweep.state == "running")
        driver.send_signal(signal.SIGSTOP)  # so that it does not end meanwhile
        os.waitid(os.P_PID, driver.pid, os.WSTOPPED)  # it may be in the middle of writing a file
        before = contents(certified)
        for stage in ("sweep", "certify", "run"):
            said = sport_ray(stage, other, "--results", certified, status=2)
            assert f"is running already (process {driver.pid} on " in said
        assert contents(certified) == before, "what was refused has changed something"
        driver.send_signal(signal.SIGCONT)
        wait_until(driver, lambda: finished_and_running(certified))
        driver.note()
        os.killpg(driver.pid, signal.SIGINT)
        out, err = driver.communicate()
    assert driver.returncode == 130, out + err
    assert "Traceback" not in out + err
    assert err.strip().splitlines()[-1] == (
        "sport-ray: interrupted; what is finished is kept. Resume with: "
        f"sport-ray sweep {study} --results {certified}"
    )
    done = records(certified)
    assert 1 <= len(done) < CELLS
    assert {record["status"] for record in done.values()} == {"finished"}  # none taken for failed
    status = read_status(certified)
    assert (status.sweep.state, status.running) == ("interrupted", [])
    assert status.seconds_left is not None
    assert status.seconds_left > 0.0
    resume(certified)
    require_as_undisturbed(certified, undisturbed)


@pytest.mark.slow
@pytest.mark.fault
def test_sigterm(certified: Path, undisturbed: Path) -> None:
    """As `ray job stop`, batch systems and container hosts end a process: to the driver alone."""
    with sweeping(certified) as driver:
        wait_until(driver, lambda: finished_and_running(certified))
        driver.note()
        driver.send_signal(signal.SIGTERM)
        out, err = driver.communicate()
    assert driver.returncode == 143, out + err
    assert "Traceback" not in out + err
    assert "asked to end; what is finished is kept. Resume with: sport-ray sweep" in err
    assert {record["status"] for record in records(certified).values()} == {"finished"}
    assert read_status(certified).sweep.state == "killed"
    resume(certified)
    require_as_undisturbed(certified, undisturbed)


MANY = {"certificate": {"num_scenarios": 20_000, "beta": 1e-3, "max_horizon": 30}}


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize("stage", ["certify", "run"])
def test_sigterm_while_certifying(stage: str, tmp_path: Path) -> None:
    """In this process, without Ray; and on Ray's workers, which `run` has before it certifies."""
    study, alone = write_study(tmp_path / "study.yaml", MANY), ("--no-ray",)
    sport_ray("certify", study, "--results", tmp_path / "whole", *alone)
    folder, more = tmp_path / "results", alone if stage == "certify" else ()
    with driving(stage, folder, *more) as driver:
        wait_until(driver, lambda: certifying(folder))
        driver.note()
        driver.send_signal(signal.SIGTERM)
        out, err = driver.communicate()
    assert driver.returncode == 143, out + err
    assert "Traceback" not in out + err
    assert err.strip().splitlines()[-1] == (
        "sport-ray: asked to end; stages that have ended are kept. Resume with: "
        + " ".join(["sport-ray", stage, str(study), "--results", str(folder), *more])
    )
    assert not (folder / LEASE).exists()
    assert not (folder / "certificate.json").exists()
    sport_ray("certify", study, "--results", folder, *alone)
    for name in ("certificate.json", "certificate_outcomes.parquet"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


OTHER_HOST = """
import socket, sys
sys.argv = ["sport-ray", *sys.argv[3:]]
socket.gethostname = lambda: HOST
from sport_ray.experiments.cli.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.fault
def test_two_hosts_on_a_share(certified: Path, undisturbed: Path) -> None:
    """Each of both processes believes to be on a host of its own: that name is replaced."""
    study = certified.parent / "study.yaml"

    def start(host: str) -> subprocess.Popen[str]:
        script = OTHER_HOST.replace("HOST", repr(host))
        return subprocess.Popen(
            [sys.executable, "-c", script, *command("sweep", study, "--results", certified)[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    both = [start("here"), start("there")]  # at the same moment
    done = [(*process.communicate(timeout=400), process.returncode) for process in both]
    assert sorted(status for *_, status in done) == [0, 2], done
    ((_, refusal, _),) = [one for one in done if one[2] == 2]
    assert "is running already (process" in " ".join(refusal.split())
    require_as_undisturbed(certified, undisturbed)
