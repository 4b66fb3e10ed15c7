"""Faults injected into real sweeps: nothing is lost, nothing is there twice, no number changes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from experiments.ledger import read_ledger
from experiments.status import read_status
from experiments.sweep import require_room
from sport_ray.errors import UserError
from tracking.mlflow_log import CELL_TAG
from tracking.mlflow_store import default_uri

STUDY: dict[str, Any] = {
    "name": "faults",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 30},
    "sweep": {"alphas": [1.0, 1.5], "horizons": [25], "seeds": [0, 1]},
    "training": {
        "env_steps": 1024,
        "warmup_env_steps": 256,
        "lr": 1e-3,
        "train_batch_size": 256,
        "minibatch_size": 64,
        "num_envs": 8,
    },
    "evaluation": {"num_scenarios": 100, "beta": 1e-3},
}
CELLS = 10
TIMES = ("finished_at", "train_seconds", "eval_seconds")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "experiments.cli", *map(str, arguments)]


def sport_ray(*arguments: object) -> str:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_study(path: Path, **sweep: Any) -> Path:
    path.write_text(yaml.safe_dump(STUDY | {"sweep": STUDY["sweep"] | sweep}))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing happened to; its study lies beside it."""
    root = tmp_path_factory.mktemp("undisturbed")
    study = write_study(root / "study.yaml")
    sport_ray("certify", study, "--results", root / "results")
    assert f"{CELLS} of {CELLS} cells finished" in sport_ray(
        "sweep", study, "--results", root / "results"
    )
    return root / "results"


@pytest.fixture
def certified(undisturbed: Path, tmp_path: Path) -> Path:
    """A folder with the same certificate and no cell yet."""
    write_study(tmp_path / "study.yaml")
    keep_out = shutil.ignore_patterns("cells", "policies", "ml*", ".tune", "ledger*", "plan.json")
    return Path(shutil.copytree(undisturbed, tmp_path / "results", ignore=keep_out))


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """What can be read of each cell's record."""
    found = {}
    for path in folder.glob("cells/*/record.json"):
        try:
            found[path.parent.name] = json.loads(path.read_text())
        except ValueError:
            continue
    return found


def numbers(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        cell: {name: value for name, value in record.items() if name not in TIMES}
        for cell, record in records(folder).items()
    }


def require_as_undisturbed(folder: Path, undisturbed: Path) -> None:
    """One finished record per cell, the same numbers to the bit, one MLflow run per cell."""
    assert numbers(folder) == numbers(undisturbed)
    assert {record["status"] for record in records(folder).values()} == {"finished"}
    client = MlflowClient(default_uri(folder))
    experiment = client.get_experiment_by_name("faults")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    cells = [run.data.tags[CELL_TAG] for run in runs if CELL_TAG in run.data.tags]
    assert sorted(cells) == sorted(numbers(undisturbed))
    assert len(runs) == CELLS + 1  # and one parent
    assert {run.info.status for run in runs} == {"FINISHED"}
    status = read_status(folder)
    assert (status.planned, len(status.done)) == (CELLS, CELLS)
    assert (status.sweep.state, status.outside_plan) == ("finished", [])
    told = [e["cell_id"] for e in read_ledger(folder / "ledger.jsonl").entries]
    assert set(numbers(folder)) <= set(told)


def processes() -> dict[int, tuple[int, str]]:
    """Parent and time of birth of every process, by pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(path.parent.name)] = (int(fields[1]), fields[19])
    return found


def descendants(pid: int) -> dict[int, str]:
    """Processes below a process, with their times of birth."""
    everyone, below = processes(), {pid}
    while more := {p for p, (parent, _) in everyone.items() if parent in below} - below:
        below |= more
    return {p: everyone[p][1] for p in below - {pid}}


@contextmanager
def sweeping(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A sweep at work in a session of its own; what it leaves behind is ended, by pid."""
    study = folder.parent / "study.yaml"
    process = subprocess.Popen(
        command("sweep", study, "--results", folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"COLUMNS": "200"},
    )
    started: dict[int, str] = {}
    process.note = lambda: started.update(descendants(process.pid))  # type: ignore[attr-defined]
    try:
        yield process
    finally:
        if process.poll() is None:
            process.note()  # type: ignore[attr-defined]
            process.kill()
        process.communicate()
        now = processes()
        for pid, born in started.items():
            if pid in now and now[pid][1] == born:
                os.kill(pid, signal.SIGKILL)


def wait_until(
    process: subprocess.Popen[str], condition: Callable[[], bool], seconds: float = 120.0
) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the moment did not come"
        time.sleep(0.005)


def running(folder: Path) -> int:
    return len(read_status(folder).running) if (folder / "plan.json").exists() else 0


def finished_and_running(folder: Path) -> bool:
    """A job has ended, so that the time left can be told, and another is at work."""
    history = read_ledger(folder / "ledger.jsonl").entries
    return any(e["event"] == "cell finished" for e in history) and running(folder) > 0


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
        driver.note()  # type: ignore[attr-defined]
        driver.kill()
        driver.wait()
    before = {p: p.stat().st_mtime_ns for p in certified.glob("cells/*/record.json")}
    assert len(before) < CELLS, "killed too late: nothing was injected"
    assert (before != {}) == (moment != "before any cell is done")
    status = read_status(certified)
    assert (status.sweep.state, status.running, status.failed) == ("died", [], [])

    sport_ray("sweep", certified.parent / "study.yaml", "--results", certified)
    require_as_undisturbed(certified, undisturbed)
    assert before == {p: p.stat().st_mtime_ns for p in before}  # what was done was not repeated
    sweeps = [
        entry["event"]
        for entry in read_ledger(certified / "ledger.jsonl").entries
        if entry["event"].startswith("sweep")
    ]
    assert sweeps == ["sweep started", "sweep started", "sweep ended"]


@pytest.mark.slow
def test_a_second_sweep_is_refused_and_ctrl_c_ends_the_first(
    certified: Path, undisturbed: Path
) -> None:
    """Ctrl-C as a terminal sends it: to the whole group."""
    study = certified.parent / "study.yaml"
    with sweeping(certified) as driver:
        wait_until(driver, lambda: (certified / "ledger.jsonl").exists())
        wait_until(driver, lambda: read_status(certified).sweep.state == "running")
        driver.send_signal(signal.SIGSTOP)  # so that it does not end meanwhile
        second = subprocess.run(
            command("sweep", study, "--results", certified), capture_output=True, text=True
        )
        driver.send_signal(signal.SIGCONT)
        assert second.returncode == 2
        told = " ".join(second.stderr.split())
        assert f"is running already (process {driver.pid} on " in told
        wait_until(driver, lambda: finished_and_running(certified))
        driver.note()  # type: ignore[attr-defined]
        os.killpg(driver.pid, signal.SIGINT)
        pressed = time.monotonic()
        out, err = driver.communicate(timeout=60)
        took = time.monotonic() - pressed
    assert driver.returncode == 130, out + err
    assert took < 10.0
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
    assert status.seconds_left is not None and status.seconds_left > 0.0
    sport_ray("sweep", study, "--results", certified)
    require_as_undisturbed(certified, undisturbed)


def trials_below(pid: int) -> list[int]:
    """Ray's workers that run a job just now."""
    found = []
    for below in descendants(pid):
        try:
            name = Path(f"/proc/{below}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and b"Trainable.train" in name:
            found.append(below)
    return found


@pytest.mark.slow
@pytest.mark.fault
def test_workers_that_die_again_and_again(certified: Path, undisturbed: Path) -> None:
    """Jobs are retried, then failed with their reason, never dropped; and run by the next sweep."""
    ledger = certified / "ledger.jsonl"

    def told(event: str) -> list[dict[str, Any]]:
        return [entry for entry in read_ledger(ledger).entries if entry["event"] == event]

    def kill_until_one_has_failed() -> bool:
        for pid in trials_below(driver.pid):
            os.kill(pid, signal.SIGKILL)
        return told("cell failed") != []

    with sweeping(certified) as driver:
        wait_until(driver, kill_until_one_has_failed)
        driver.note()  # type: ignore[attr-defined]
        out, err = driver.communicate(timeout=120)
    assert driver.returncode == 0, out + err
    assert "failed (reasons in the report" in out
    assert told("cell retried") != []
    status = read_status(certified)
    assert len(status.done) + len(status.failed) == CELLS
    assert {c["cell_id"] for c in status.failed} == {e["cell_id"] for e in told("cell failed")}
    for cell in status.failed:
        assert cell["reason"].startswith("RuntimeError: the worker died before the cell was done")
    sport_ray("sweep", certified.parent / "study.yaml", "--results", certified)
    require_as_undisturbed(certified, undisturbed)


@pytest.mark.slow
@pytest.mark.fault
def test_half_a_record_half_a_line_and_a_longer_grid(
    certified: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Both are repaired, and cells of a grid that has grown are reused; then it shrinks again."""
    for name in ("cells", "policies"):
        shutil.copytree(undisturbed / name, certified / name)
    shutil.copy(undisturbed / "ledger.jsonl", certified)
    ledger = certified / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    paths = sorted(certified.glob("cells/*/record.json"))
    victim = next(p for p in paths if json.loads(p.read_text())["method"] == "projected_ppo")
    victim.write_bytes(victim.read_bytes()[:100])
    kept = {p: p.stat().st_mtime_ns for p in paths if p != victim}

    longer = write_study(tmp_path / "longer.yaml", seeds=[0, 1, 2])
    out = sport_ray("sweep", longer, "--results", certified)
    assert "15 of 15 cells finished" in out
    assert f"the record of cell {victim.parent.name} is damaged" in " ".join(out.split())
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    again = numbers(certified)
    assert {cell: again[cell] for cell in numbers(undisturbed)} == numbers(undisturbed)
    history = read_ledger(ledger)
    assert len(history.damaged) == 1
    assert [e["cell_id"] for e in history.entries if e["event"] == "record set aside"] == [
        victim.parent.name
    ]

    out = sport_ray("sweep", tmp_path / "study.yaml", "--results", certified)
    assert "already" in out
    status = read_status(certified)
    assert (len(status.done), len(status.outside_plan)) == (CELLS, 5)


def test_what_no_single_node_can_hold_is_refused_at_once() -> None:
    nodes = {"10.0.0.1": 2.0, "10.0.0.2": 4.0, "10.0.0.3": 0.0}
    require_room([{"CPU": 4.0}, {"CPU": 1.0}, {"CPU": 1.0}], nodes)
    with pytest.raises(UserError, match=r"5 CPUs on one node, the largest node \(10.0.0.2\) has 4"):
        require_room([{"CPU": 5.0}], nodes)
    with pytest.raises(UserError, match=r"asks for 7 CPUs, all nodes together have 6"):
        require_room([{"CPU": 4.0}, *[{"CPU": 1.0}] * 3], nodes)
    with pytest.raises(UserError, match="there is no node"):
        require_room([{"CPU": 1.0}], {})


@pytest.mark.slow
@pytest.mark.fault
def test_two_small_nodes_are_not_one_large_node(undisturbed: Path, tmp_path: Path) -> None:
    """On a real cluster of two nodes with one CPU each: Tune would wait for ever."""
    study = yaml.safe_load((undisturbed.parent / "study.yaml").read_text())
    (tmp_path / "study.yaml").write_text(
        yaml.safe_dump(study | {"resources": {"cpus_per_cell": 2}})
    )
    script = """
import sys
from pathlib import Path
from ray.cluster_utils import Cluster
import ray
from experiments.results import ResultFolder
from experiments.study import load_study
from experiments.sweep import run_sweep
from sport_ray.certificates import load_certificate
from sport_ray.errors import UserError

results = Path(sys.argv[1])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
folder = ResultFolder(results, load_study(results.parent / "study.yaml"))
try:
    run_sweep(folder, load_certificate(folder.certificate))
except UserError as error:
    print("refused:", error)
finally:
    ray.shutdown()
    cluster.shutdown()
"""
    shutil.copytree(
        undisturbed, tmp_path / "results", ignore=shutil.ignore_patterns("cells", "ml*", ".tune")
    )
    settings = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    # A folder of its own (and a short one: sockets lie in it), or else a Ray that another test
    # starts meanwhile would join this cluster.
    with tempfile.TemporaryDirectory(prefix="ray") as own:
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "results")],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | settings | {"RAY_TMPDIR": own},
        )
    assert "refused: a cell asks for 2 CPUs on one node, the largest node (" in done.stdout, (
        done.stdout + done.stderr
    )
    assert ") has 1: lower resources.cpus_per_cell" in done.stdout
