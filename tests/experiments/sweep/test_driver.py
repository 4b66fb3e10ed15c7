"""What is told of a trial's jobs: each once, whatever becomes of the trial."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.experiments.config.study import Study
from sport_ray.experiments.sweep.driver import SweepEvent, events_of
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.sweep.trials import Kind, TrialEvent
from sport_ray.experiments.sweep.work import Work
from tests.experiments.conftest import SMALL
from tests.experiments.known_certificate import certificate

STUDY = Study.model_validate(
    SMALL | {"sweep": SMALL["sweep"] | {"seeds": [0, 1], "methods": ["projected_ppo"]}}
)
WORK = Work(cohort=True, jobs=Plan.of(STUDY, certificate()).jobs)


def trial(kind: Kind, **result: Any) -> TrialEvent:
    return TrialEvent(kind, "t1", {"work": WORK.model_dump_json()}, result)


def told(*trials: TrialEvent) -> list[SweepEvent]:
    ended: dict[str, int] = {}
    return [event for one in trials for event in events_of(one, ended)]


def test_jobs_end_one_by_one_and_the_training_is_told_before():
    found = told(
        trial("started"),
        trial("reported", trained=0.25, ended=0),
        trial("reported", trained=1.0, ended=1),
        trial("reported", trained=1.0, ended=3),
        trial("reported", trained=1.0, ended=4, done=True),
        trial("ended", trained=1.0, ended=4, done=True),
    )
    first, *others = WORK.jobs
    assert [(event.kind, event.jobs) for event in found if event.kind != "trained"] == [
        ("started", WORK.jobs),
        ("ended", (first,)),
        ("ended", tuple(others[:2])),
        ("ended", tuple(others[2:])),
    ]
    assert [event.trained for event in found if event.kind == "trained"] == [0.25, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("kind", ["died", "ended"])
def test_what_was_not_told_ends_with_the_trial(kind):
    found = told(trial("started"), trial("reported", trained=1.0, ended=1), trial(kind))
    assert (found[-1].kind, found[-1].jobs) == (kind, WORK.jobs[1:])


def test_a_trial_that_begins_again_tells_of_no_job_twice():
    found = told(
        trial("started"),
        trial("reported", trained=1.0, ended=2),
        trial("retried", trained=1.0, ended=2),
        trial("started"),
        trial("reported", trained=0.5, ended=0),
        trial("reported", trained=1.0, ended=1),
        trial("reported", trained=1.0, ended=2),
        trial("reported", trained=1.0, ended=4),
    )
    kinds = [(event.kind, len(event.jobs)) for event in found if event.kind != "trained"]
    assert kinds == [("started", 4), ("ended", 2), ("retried", 2), ("started", 2), ("ended", 2)]
    again = [event for event in found if event.kind == "trained"][1:]
    assert [len(event.jobs) for event in again] == [2, 2, 2, 2]


@given(st.lists(st.integers(0, 4), max_size=8), st.sampled_from(["ended", "died"]))
def test_every_job_ends_exactly_once(ends, last):
    reports = [trial("reported", trained=1.0, ended=one) for one in ends]
    found = told(trial("started"), *reports, trial(last))
    over = [job for event in found if event.kind in ("ended", "died") for job in event.jobs]
    assert over == list(WORK.jobs)
