"""Trials of a sweep in this process, one after the other: without Ray, or before it is worth it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from ray.exceptions import RayError

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.cluster.signals import terminating
from sport_ray.experiments.config.copies import concurrent_trials
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.results.disk import is_disk_full, no_room, require_space
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.sweep.cell import Job
from sport_ray.experiments.sweep.cohort import run_work
from sport_ray.experiments.sweep.evaluation import scenarios_per_cell
from sport_ray.experiments.sweep.trials import TrialEvent, as_in_a_trial
from sport_ray.experiments.sweep.work import Work
from sport_ray.experiments.task_policies import SOURCES

TRIAL_SECONDS = 3.0
"""Of evaluating here before it is asked whether workers would be done sooner."""

Hear = Callable[[TrialEvent], None]


def may_begin_here(study: Study, jobs: Sequence[Job], need: RayWhenNeeded) -> bool:
    """Whether a sweep's first cells may be evaluated here: nothing is trained, and nothing remote.

    What training takes is not known beforehand, and all cores should have their share of it.
    """
    trains = any(SOURCES[job.kind].trains for job in jobs)
    asked = study.resources
    remote = asked.gpus_per_cell or asked.env_runners_per_cell
    return not (trains or remote or need.elsewhere or need.is_up)


def run_here(
    folder: StudyFolder, works: Sequence[Work], hear: Hear, need: RayWhenNeeded | None = None
) -> list[Work]:
    """Run trials, told as Tune's are; returns those that are left where workers are sooner.

    need: says what workers would take; by default all run here. A trial that is left was given up
    in its first seconds, and its finished cells are kept.

    Raises:
        UserError: a source that needs Ray and did not say so.
        DiskFull: no room in the result folder.
        KeyboardInterrupt, Terminated: Ctrl-C and SIGTERM.
    """
    left, clock = list(works), _Clock(folder.study, need)
    with as_in_a_trial(), terminating():
        while left:
            try:
                if not _run_one(folder, left, hear, clock):
                    return left
            except RayError:
                kind = left[0].jobs[0].kind
                raise UserError(f"task policies of {kind} need Ray: leave out --no-ray") from None
            except Exception as error:
                require_space(*folder.places)
                if is_disk_full(error):
                    raise no_room(folder.root) from None
                raise
            left.pop(0)
    return left


def _run_one(folder: StudyFolder, left: list[Work], hear: Hear, clock: _Clock) -> bool:
    """Run the first of the trials; false where it and the others are better off on workers."""
    work = left[0]
    about = f"here-{work.name}", {"work": work.model_dump_json()}
    hear(TrialEvent("started", *about, {}))
    told: dict[str, Any] = {}
    clock.begin()
    with closing(run_work(folder, work)) as reports:
        for report in reports:
            told = report._asdict()
            hear(TrialEvent("reported", *about, told))
            if clock.workers_are_sooner(report.scenarios, left):
                hear(TrialEvent("retried", *about, told))
                return False
    clock.end()
    hear(TrialEvent("ended", *about, told))
    return True


class _Clock:
    """What the evaluations here take, by their scenarios."""

    def __init__(self, study: Study, need: RayWhenNeeded | None) -> None:
        self._study, self._need = study, need
        self._scenarios, self._seconds, self._now = 0, 0.0, 0
        self._began = time.monotonic()

    def begin(self) -> None:
        """A trial begins."""
        self._began, self._now = time.monotonic(), 0

    def end(self) -> None:
        """It has ended."""
        self._seconds += time.monotonic() - self._began
        self._scenarios += self._now

    def workers_are_sooner(self, scenarios: int, left: list[Work]) -> bool:
        """Whether workers are, after so many scenarios of the first trial that is left."""
        self._now = scenarios
        seconds = self._seconds + time.monotonic() - self._began
        many = self._scenarios + scenarios
        if self._need is None or not many or seconds < TRIAL_SECONDS:
            return False
        cells = sum(len(job.cells) for one in left for job in one.jobs)
        rest = max(cells * scenarios_per_cell(self._study) - scenarios, 0) * seconds / many
        workers = min(len(left), self._need.cpus())
        workers = concurrent_trials(self._study.environment) or workers
        return self._need.worth_workers(rest, workers)
