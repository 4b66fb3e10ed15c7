"""Progress of a sweep: the bar from what is trained, the ledger from what is on disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sport_ray.canonical import write_json
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.results.ledger import Ledger, read_ledger
from sport_ray.experiments.results.status import read_status
from sport_ray.experiments.stages.progress import SweepHistory, SweepProgress
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.driver import SweepEvent
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.work import Work
from tests.experiments.conftest import SMALL
from tests.experiments.known_certificate import certificate

STUDY = Study.model_validate(SMALL | {"sweep": SMALL["sweep"] | {"seeds": [0, 1]}})


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "results", STUDY)
    folder.root.mkdir()
    (folder.root / "study.json").write_text(json.dumps({"name": "small"}))
    return folder


@pytest.fixture
def plan(folder) -> Plan:
    plan = Plan.of(STUDY, certificate())
    plan.write(folder)
    return plan


def record(folder: StudyFolder, job: Job, status: str = "finished", **more: Any) -> None:
    about = {"status": status, "train_seconds": 2.0, "eval_seconds": 1.0, **more}
    for cell in job.cells:
        write_json(folder.record(cell.id), {"cell_id": cell.id, **about})


def bar(progress: SweepProgress) -> tuple[float, float, float, float]:
    """(what the bar shows, cells done, running, failed)."""
    [task] = progress.progress.tasks
    return task.completed, task.fields["done"], task.fields["running"], task.fields["failed"]


def test_a_cohort_shows_progress_before_any_of_its_cells_is_done(folder, plan):
    seen: list[dict[str, Any]] = []
    jobs = [job for job in plan.jobs if job.kind == "projected_ppo"]
    work = Work(cohort=True, jobs=tuple(jobs))
    progress = SweepProgress(Console(quiet=True), folder, plan, list(plan.jobs), seen.append)
    assert bar(progress) == (0.0, 0, 0, 0)
    progress(SweepEvent("started", work, work.jobs))
    assert bar(progress) == (0.0, 0, 4, 0)
    progress(SweepEvent("trained", work, work.jobs, 0.5))
    assert bar(progress) == (1.0, 0, 4, 0)
    progress(SweepEvent("trained", work, work.jobs, 1.0))
    assert bar(progress) == (2.0, 0, 4, 0)
    record(folder, jobs[0])
    progress(SweepEvent("ended", work, work.jobs[:1]))
    assert bar(progress) == (2.5, 1, 3, 0)
    record(folder, jobs[1], "failed", reason="why")
    progress(SweepEvent("ended", work, work.jobs[1:2]))
    assert bar(progress) == (3.0, 2, 2, 1)
    progress(SweepEvent("retried", work, work.jobs[2:]))
    assert bar(progress) == (2.0, 2, 0, 1)
    progress(SweepEvent("started", work, work.jobs[2:]))
    progress(SweepEvent("died", work, work.jobs[2:]))
    assert bar(progress) == (4.0, 4, 0, 3)
    assert [one["cell_id"] for one in seen] == [jobs[0].cells[0].id, jobs[1].cells[0].id]


def test_a_job_of_many_cells_counts_each(folder, plan):
    job = next(job for job in plan.jobs if job.kind == "unconstrained")
    work = Work(cohort=False, jobs=(job,))
    progress = SweepProgress(Console(quiet=True), folder, plan, list(plan.jobs))
    progress(SweepEvent("started", work, work.jobs))
    assert bar(progress) == (0.0, 0, 3, 0)
    record(folder, job)
    progress(SweepEvent("ended", work, work.jobs))
    assert bar(progress) == (3.0, 3, 0, 0)


def test_the_ledger_has_a_line_for_every_cell_and_its_own_seconds(folder, plan):
    """Of a cohort's training each cell's record has its share."""
    jobs = [job for job in plan.jobs if job.kind == "unconstrained"]
    work = Work(cohort=True, jobs=tuple(jobs))
    ledger = Ledger(folder.ledger)
    history = SweepHistory(ledger, folder)
    done, *rest = jobs[0].cells
    write_json(folder.record(done.id), {"cell_id": done.id, "status": "finished"})
    history(SweepEvent("started", work, work.jobs))
    history(SweepEvent("trained", work, work.jobs, 0.5))
    record(folder, jobs[0])
    history(SweepEvent("ended", work, work.jobs[:1]))
    quick = jobs[1].cells[1]  # recorded by a worker that died before it said so
    write_json(folder.record(quick.id), {"cell_id": quick.id, "status": "finished"})
    history(SweepEvent("retried", work, work.jobs[1:]))
    history(SweepEvent("started", work, work.jobs[1:]))
    for cell in (jobs[1].cells[0], jobs[1].cells[2]):
        write_json(folder.record(cell.id), {"cell_id": cell.id, "status": "failed", "reason": "x"})
    history(SweepEvent("ended", work, work.jobs[1:]))
    ledger.close()
    entries = read_ledger(folder.ledger).entries
    mine = [entry for entry in entries if entry["cell_id"] in {cell.id for cell in rest}]
    assert [entry["event"] for entry in mine] == ["cell started"] * 2 + ["cell finished"] * 2
    assert {entry["job"] for entry in entries} == {work.name}
    assert [entry["seconds"] for entry in mine[2:]] == [2.0, 2.0]  # 1 s, and half of two seconds
    assert done.id not in {entry["cell_id"] for entry in entries}
    others = [entry["event"] for entry in entries if entry["cell_id"] == jobs[1].cells[0].id]
    assert others == ["cell started", "cell retried", "cell started", "cell failed"]
    once = [entry["event"] for entry in entries if entry["cell_id"] == quick.id]
    assert once == ["cell started", "cell finished"]


def test_the_time_left_knows_what_a_cohort_has_spent_on_cells_that_are_done(folder, plan):
    """Two of four cells took three seconds each; of the eight so far two are the others'."""
    jobs = [job for job in plan.jobs if job.kind == "projected_ppo"]
    work = Work(cohort=True, jobs=tuple(jobs))
    ledger = Ledger(folder.ledger)
    ledger.append("sweep started", pid=1, host="elsewhere", planned=4, study="d")
    history = SweepHistory(ledger, folder)
    history(SweepEvent("started", work, work.jobs))
    for job in jobs[:2]:
        record(folder, job)
    history(SweepEvent("ended", work, work.jobs[:2]))
    ledger.close()
    (folder.root / "plan.json").write_text(
        json.dumps({"cells": [job.cells[0].id for job in jobs], "jobs": []})
    )
    now = datetime.now(UTC) + timedelta(seconds=8.0)
    assert read_status(folder.root, now=now).seconds_left == pytest.approx(4.0, abs=0.2)
