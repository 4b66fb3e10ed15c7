"""Workers and EnvRunners killed, and trials that raise."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from sport_ray.experiments.results.status import read_status
from tests.experiments.faults.harness import (
    CELLS,
    certified_copy,
    events_of,
    finished_and_running,
    numbers,
    require_as_undisturbed,
    resume,
    sport_ray,
    sweep_undisturbed,
    sweeping,
    wait_until,
    workers_below,
    write_study,
)


@pytest.mark.slow
@pytest.mark.fault
def test_workers_that_die_again_and_again(certified: Path, undisturbed: Path) -> None:
    """Jobs are retried, then failed with their reason, never dropped; and run by the next sweep."""

    def kill_until_one_has_failed() -> bool:
        for pid in workers_below(driver.pid, b"Trainable.train"):
            os.kill(pid, signal.SIGKILL)
        return events_of(certified, "cell failed") != []

    with sweeping(certified) as driver:
        wait_until(driver, kill_until_one_has_failed)
        driver.note()
        out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    assert "failed (reasons in the report" in out
    assert events_of(certified, "cell retried") != []
    status = read_status(certified)
    assert len(status.done) + len(status.failed) == CELLS
    assert {c["cell_id"] for c in status.failed} == {
        e["cell_id"] for e in events_of(certified, "cell failed")
    }
    for cell in status.failed:
        assert cell["reason"].startswith("RuntimeError: the worker died before the cell was done")
    resume(certified)
    require_as_undisturbed(certified, undisturbed)


@pytest.fixture(scope="module")
def with_runners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed sweep of three cells in two jobs, each with an EnvRunner beside it."""
    root = tmp_path_factory.mktemp("runners")
    return sweep_undisturbed(root, 3, **RUNNERS)


RUNNERS = {
    "sections": {"resources": {"env_runners_per_cell": 1}},
    "alphas": [1.5],
    "seeds": [0],
}


@pytest.mark.slow
@pytest.mark.fault
def test_an_env_runner_that_dies(with_runners: Path, tmp_path: Path) -> None:
    """The job begins anew: with a new runner in its place the numbers would be others."""
    write_study(tmp_path / "study.yaml", **RUNNERS)
    folder = certified_copy(with_runners, tmp_path)
    killed: list[int] = []

    def one_is_killed() -> bool:
        # At work, not only made: in the middle of what it samples.
        for pid in workers_below(driver.pid, b"EnvRunner.", b"ArrayRunner."):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            return True
        return False

    with sweeping(folder) as driver:
        wait_until(driver, one_is_killed)
        wait_until(driver, lambda: events_of(folder, "cell retried") != [])
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    assert len(killed) == 1
    assert events_of(folder, "cell failed") == []
    require_as_undisturbed(folder, with_runners)


@pytest.mark.slow
@pytest.mark.fault
def test_trials_that_raise(certified: Path, undisturbed: Path) -> None:
    """The base policy is damaged under a running sweep: each later job raises, and is events_of."""
    weights = certified / "base" / "policy.safetensors"
    whole = weights.read_bytes()
    with sweeping(certified) as driver:
        wait_until(driver, lambda: finished_and_running(certified))
        weights.write_bytes(whole[:1000])
        driver.note()
        out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, out + err
    status = read_status(certified)
    assert status.failed
    assert status.done
    assert len(status.done) + len(status.failed) == CELLS  # none is dropped
    assert f"{len(status.failed)} failed (reasons in the report" in out
    for cell in status.failed:
        assert cell["reason"].startswith("UserError: policy file ")
        assert "sha256" in cell["reason"]
        trace = (certified / "cells" / cell["cell_id"] / "error.txt").read_text()
        assert "load_policy" in trace
    sport_ray("report", certified)
    shown = (certified / "cells.csv").read_text().splitlines()
    assert len(shown) == CELLS + 1
    assert sum(",failed," in line for line in shown) == len(status.failed)
    page = (certified / "report.html").read_text()
    assert page.count(">failed</span> UserError: policy file ") == len(status.failed)
    weights.write_bytes(whole)
    resume(certified)
    require_as_undisturbed(certified, undisturbed)


@pytest.mark.slow
@pytest.mark.fault
def test_a_trial_that_cannot_even_record_its_failure(certified: Path, undisturbed: Path) -> None:
    """A file lies where a cell's folder is to be: what raises gets past all that records it."""
    victim = sorted(numbers(undisturbed))[0]
    (certified / "cells").mkdir()
    (certified / "cells" / victim).write_text("in the way")
    with sweeping(certified) as driver:
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    assert " failed (reasons in the report" in out
    assert victim in {entry["cell_id"] for entry in events_of(certified, "cell failed")}
    status = read_status(certified)
    assert victim in status.not_started
    assert status.sweep.state == "finished"
    (certified / "cells" / victim).unlink()
    resume(certified)
    require_as_undisturbed(certified, undisturbed)
