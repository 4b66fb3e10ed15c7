"""What the tests of faults share: a small study, sweeps of their own, what must hold after."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient

from sport_ray.experiments.live.present import read_stage
from sport_ray.experiments.results.ledger import read_ledger
from sport_ray.experiments.results.status import read_status
from sport_ray.tracking.mlflow.client import default_uri
from sport_ray.tracking.mlflow.log import CELL_TAG, RECORD_TAG

STUDY: dict[str, Any] = {
    "name": "faults",
    "engine": "single",  # a trial a job; test_cohorts.py has the other engine
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 30},
    "sweep": {"alphas": [1.0, 1.5], "horizons": [25], "seeds": [0, 1]},
    "training": {
        "env_steps": 512,
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
    return [sys.executable, "-m", "sport_ray.experiments.cli.main", *map(str, arguments)]


def sport_ray(*arguments: object, status: int = 0) -> str:
    """What a command says (on standard error, where it is to fail)."""
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=550)
    assert done.returncode == status, done.stdout + done.stderr
    return " ".join(done.stderr.split()) if status else done.stdout


def resume(folder: Path, *arguments: object) -> str:
    """The same command again."""
    return sport_ray("sweep", folder.parent / "study.yaml", "--results", folder, *arguments)


def events_of(folder: Path, event: str) -> list[dict[str, Any]]:
    """Lines of the ledger."""
    return [e for e in read_ledger(folder / "ledger.jsonl").entries if e["event"] == event]


def write_study(path: Path, sections: dict[str, Any] | None = None, **sweep: Any) -> Path:
    """The study with other sections, and with other settings of its grid."""
    path.write_text(yaml.safe_dump(STUDY | {"sweep": STUDY["sweep"] | sweep} | (sections or {})))
    return path


def sweep_undisturbed(root: Path, cells: int = CELLS, **changes: Any) -> Path:
    """Certify and sweep in a new folder; the results."""
    study = write_study(root / "study.yaml", **changes)
    sport_ray("certify", study, "--results", root / "results")
    out = sport_ray("sweep", study, "--results", root / "results")
    assert f"{cells} of {cells} cells finished" in out
    return root / "results"


def certified_copy(results: Path, parent: Path) -> Path:
    """A folder with the same certificate and no cell yet."""
    done = ("cells", "policies", "ml*", ".tune", "ledger*", "plan.json")
    return Path(shutil.copytree(results, parent / "results", ignore=shutil.ignore_patterns(*done)))


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


def require_as_undisturbed(folder: Path, undisturbed: Path, uri: str | None = None) -> None:
    """One finished record per cell, the same numbers to the bit, one MLflow run per cell."""
    require_same_numbers(folder, undisturbed)
    require_one_run_each(folder, uri)
    told = [e["cell_id"] for e in read_ledger(folder / "ledger.jsonl").entries]
    assert set(numbers(folder)) <= set(told)


def require_same_numbers(folder: Path, undisturbed: Path) -> None:
    """No cell is lost, none is new, no number has changed, nothing half-written lies about."""
    assert numbers(folder) == numbers(undisturbed)
    assert {record["status"] for record in records(folder).values()} == {"finished"}
    status, cells = read_status(folder), len(numbers(undisturbed))
    assert (status.planned, len(status.done)) == (cells, cells)
    assert (status.sweep.state, status.outside_plan) == ("finished", [])
    assert status.damaged_records == []
    assert list(folder.glob("cells/*/*.tmp")) == []


def require_one_run_each(folder: Path, uri: str | None = None) -> None:
    """In MLflow: a run per record, the record's digest on it, and one parent; all at their end."""
    client = MlflowClient(uri or default_uri(folder))
    experiment = client.get_experiment_by_name("faults")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    cells = [run.data.tags[CELL_TAG] for run in runs if CELL_TAG in run.data.tags]
    assert sorted(cells) == sorted(records(folder))
    assert all(run.data.tags.get(RECORD_TAG) for run in runs if CELL_TAG in run.data.tags)
    assert len(runs) == len(cells) + 1  # and one parent
    assert {run.info.status for run in runs} == {"FINISHED"}


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


def end(started: dict[int, str]) -> None:
    """SIGKILL to those processes that are still the ones that were noted."""
    now = processes()
    for pid, born in started.items():
        if pid in now and now[pid][1] == born:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_whole(process: subprocess.Popen[Any]) -> None:
    """SIGKILL to a process that is at work, and to all below it."""
    if process.poll() is None:
        below = descendants(process.pid)
        process.kill()
        process.wait()
        end(below)


class Driver(subprocess.Popen[str]):
    """A sweep's process, and what it was seen to have started, with times of birth."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.started: dict[int, str] = {}
        super().__init__(*arguments, **options)

    def note(self) -> None:
        """Remember what it has started, while it can still be asked."""
        self.started.update(descendants(self.pid))


def sweeping(
    folder: Path, *arguments: object, env: dict[str, str] | None = None
) -> AbstractContextManager[Driver]:
    """A sweep at work."""
    return driving("sweep", folder, *arguments, env=env)


@contextmanager
def driving(
    stage: str, folder: Path, *arguments: object, env: dict[str, str] | None = None
) -> Iterator[Driver]:
    """A stage at work in a session of its own; what it leaves behind is ended, by pid."""
    study = folder.parent / "study.yaml"
    process = Driver(
        command(stage, study, "--results", folder, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"COLUMNS": "200"} | (env or {}),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.note()
            process.kill()
        process.communicate()
        end(process.started)


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Until it is so, however busy the machine; what has ended cannot bring it about any more."""
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def running(folder: Path) -> int:
    return len(read_status(folder).running) if (folder / "plan.json").exists() else 0


def certifying(folder: Path) -> bool:
    """Some scenarios are done, and not all."""
    stage = read_stage(folder)
    return stage is not None and "certify" in stage.what and 0.0 < stage.done < stage.total


def finished_and_running(folder: Path) -> bool:
    """A job has ended, so that the time left can be told, and another is at work."""
    history = read_ledger(folder / "ledger.jsonl").entries
    return any(e["event"] == "cell finished" for e in history) and running(folder) > 0


def workers_below(pid: int, *names: bytes) -> list[int]:
    """Ray's workers that run such a thing just now."""
    found = []
    for below in descendants(pid):
        try:
            name = Path(f"/proc/{below}/cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::") and any(one in name for one in names):
            found.append(below)
    return found
