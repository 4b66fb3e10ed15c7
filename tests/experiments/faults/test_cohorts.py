"""Cohorts whose processes are killed: what has a record stays, and the rest comes out the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sport_ray.experiments.results.status import read_status
from tests.experiments.faults.harness import (
    CELLS,
    certified_copy,
    events_of,
    records,
    require_as_undisturbed,
    resume,
    running,
    sweep_undisturbed,
    sweeping,
    wait_until,
    workers_below,
    write_study,
)

COHORTS: dict[str, Any] = {
    "engine": "cohort",
    "evaluation": {"num_scenarios": 4000, "beta": 1e-3},  # time to interrupt it
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in cohorts that nothing happened to."""
    return sweep_undisturbed(tmp_path_factory.mktemp("cohorts"), sections=COHORTS)


@pytest.fixture
def begun(whole: Path, tmp_path: Path) -> Path:
    """A folder with the same certificate and no cell yet."""
    write_study(tmp_path / "study.yaml", sections=COHORTS)
    return certified_copy(whole, tmp_path)


def times(folder: Path) -> dict[Path, int]:
    """When each record was written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("cells/*/record.json")}


@pytest.mark.slow
@pytest.mark.fault
def test_a_worker_dies_between_two_cells_of_its_cohort(begun: Path, whole: Path) -> None:
    with sweeping(begun) as driver:
        wait_until(driver, lambda: len(records(begun)) >= 2)
        killed = workers_below(driver.pid, b"Trainable.train")
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        before = times(begun)
        assert killed
        assert len(before) < CELLS, "killed too late: nothing was injected"
        wait_until(driver, lambda: events_of(begun, "cell retried") != [])
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    assert "6 training runs in 2 cohorts of 2 to 4" in out
    require_as_undisturbed(begun, whole)
    assert {path: times(begun)[path] for path in before} == before
    ended = [entry["cell_id"] for entry in events_of(begun, "cell finished")]
    assert sorted(ended) == sorted(records(begun))  # each is told once, also if nobody said so


@pytest.mark.slow
@pytest.mark.fault
def test_the_driver_is_killed_and_the_rest_is_packed_anew(begun: Path, whole: Path) -> None:
    with sweeping(begun) as driver:
        wait_until(driver, lambda: len(records(begun)) >= 3 and running(begun) > 0)
        driver.note()
        for pid in workers_below(driver.pid, b"Trainable.train"):
            os.kill(pid, signal.SIGKILL)  # they would go on to their cohort's end
        driver.kill()
        driver.wait()
    before = times(begun)
    assert 3 <= len(before) < CELLS, "killed too late: nothing was injected"
    status = read_status(begun)
    assert (status.sweep.state, status.failed) == ("died", [])
    assert len(status.done) == len(before)
    resume(begun)
    require_as_undisturbed(begun, whole)
    assert {path: times(begun)[path] for path in before} == before


RUNNERS = {
    "sections": {**COHORTS, "resources": {"env_runners_per_cell": 1}},
    "seeds": [0],
}


@pytest.mark.slow
@pytest.mark.fault
def test_an_env_runner_of_a_cohort_dies(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The cohort begins anew: with a new runner in its place the numbers would be others."""
    undisturbed = sweep_undisturbed(tmp_path_factory.mktemp("runners"), 5, **RUNNERS)
    root = tmp_path_factory.mktemp("disturbed")
    write_study(root / "study.yaml", **RUNNERS)
    folder = certified_copy(undisturbed, root)

    def one_is_killed() -> bool:
        # At work, not only made: in the middle of what it samples.
        for pid in workers_below(driver.pid, b"EnvRunner.", b"CohortRunner."):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    with sweeping(folder) as driver:
        wait_until(driver, one_is_killed)
        wait_until(driver, lambda: events_of(folder, "cell retried") != [])
        driver.note()
        out, err = driver.communicate(timeout=400)
    assert driver.returncode == 0, out + err
    assert events_of(folder, "cell failed") == []
    require_as_undisturbed(folder, undisturbed)
