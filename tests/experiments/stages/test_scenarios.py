"""Where a stage's scenarios run: here, on workers, or first here and then there; same table."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.need import RayWhenNeeded
from sport_ray.experiments.stages import scenarios
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.stages.scenarios import stream_scenarios, transitions_of
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    ScenarioPlan,
    base_behaviour,
    run_scenarios,
)
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import read_base
from tests.slow_simulator import NAMED


class Counted(RayWhenNeeded):
    """Counts how often Ray was asked for."""

    asked = 0

    def need(self) -> None:
        self.asked += 1
        super().need()


def same(found: list[Outcomes], wanted: Outcomes) -> None:
    joined = Outcomes.concatenate(found)
    for field in fields(Outcomes):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(wanted, field.name))


def slow(**kwargs: Any) -> tuple[ScenarioPlan, BaseBehaviour]:
    plan = ScenarioPlan(
        env_id=NAMED,
        env_kwargs=kwargs,
        property="G !hazard",
        horizon=17,
        root_seed=0,
        purpose="certify",
    )
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(8,))
    return plan, BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))


ROBOT = ScenarioPlan(
    env_id="sport_ray/PointReachAvoid-v0",
    property="(!hazard) U goal",
    horizon=12,
    root_seed=3,
    purpose="certify",
)


def test_few_of_the_robot_s_scenarios_run_here_in_chunks_as_asked() -> None:
    behaviour = base_behaviour(read_base(BUNDLED / "point_reach_avoid"))
    told: list[int] = []
    with Counted() as need:
        parts = list(
            stream_scenarios(ROBOT, behaviour, 25, progress=told.append, chunk=10, need=need)
        )
    assert told == [10, 10, 5]
    for count, (_, tally) in zip(told, parts, strict=True):
        tally.require_complete(count)
    same([outcomes for outcomes, _ in parts], run_scenarios(ROBOT, behaviour, 0, 25))
    mine = transitions_of(ROBOT, behaviour, 25, need=RayWhenNeeded(never=True))
    theirs, _ = collect_transitions(ROBOT, behaviour, 0, 25)
    np.testing.assert_array_equal(mine.action, theirs.action)


def test_without_ray_all_run_here_whatever_they_cost(tmp_path) -> None:
    plan, behaviour = slow(seconds=0.001, book=str(tmp_path))
    with Counted(never=True) as need:
        parts = list(stream_scenarios(plan, behaviour, 12, need=need))
        with pytest.raises(UserError, match="--no-ray"):
            need.need()
    assert need.asked == 1  # by this test
    same([outcomes for outcomes, _ in parts], run_scenarios(plan, behaviour, 0, 12))


def test_one_copy_in_all_is_this_process_s(tmp_path) -> None:
    """Workers could not do better, and Ray is not started for one."""
    plan, behaviour = slow(seconds=0.02)
    plan = plan.model_copy(update={"copies": 1})
    with Counted() as need:
        parts = list(stream_scenarios(plan, behaviour, 3, need=need))
    assert need.asked == 0
    assert sum(tally.finished for _, tally in parts) == 3


def pace(count: int, seconds: float) -> Pace:
    found = Pace(1, 1_000)
    found.add(1, 60.0)  # with what was imported and compiled
    found.add(count, seconds)
    return found


class Up(RayWhenNeeded):
    is_up = True


def test_workers_are_asked_for_where_they_are_sooner_done() -> None:
    """0.85 s a scenario and two CPUs: 150 are worth it, six are not."""
    down, up = RayWhenNeeded(), Up()
    worth = scenarios._worth_workers
    assert worth(pace(1, 0.85), 149, 2, down)
    assert not worth(pace(1, 0.85), 5, 2, down)
    here = 20.0  # seconds of work: half of it is what Ray's start costs
    assert not worth(pace(10, 1.0), int(10 * here) - 1, 2, down)
    assert worth(pace(10, 1.0), int(10 * here) + 1, 2, down) or down.is_up
    assert worth(pace(10, 1.0), int(10 * here) - 1, 2, up)
    assert worth(pace(10, 1.0), int(10 * here) - 1, 16, down)


def test_a_first_scenario_that_takes_too_long_is_left_to_a_worker(monkeypatch) -> None:
    """It is given up after TRIAL_SECONDS, and nothing of it is counted."""
    monkeypatch.setattr(scenarios, "TRIAL_SECONDS", 0.2)
    plan, behaviour = slow(seconds=0.1)

    class Asked(Exception):
        pass

    class Refusing(RayWhenNeeded):
        elsewhere = False

        def cpus(self) -> int:
            return 2

        def need(self) -> None:
            raise Asked

    began = time.monotonic()
    told: list[int] = []
    with pytest.raises(Asked), Refusing() as need:
        list(stream_scenarios(plan, behaviour, 50, progress=told.append, need=need))
    assert told == []
    assert time.monotonic() - began < 17 * 0.1 + 60.0


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_slow_simulator_begins_here_and_goes_on_on_both_workers(tmp_path: Path) -> None:
    plan, behaviour = slow(seconds=0.02, book=str(tmp_path))
    told: list[int] = []
    with Counted() as need:
        stream = stream_scenarios(plan, behaviour, 60, progress=told.append, need=need)
        parts = [outcomes for outcomes, _ in stream]
    same(parts, run_scenarios(plan, behaviour, 0, 60))
    assert told[0] == 1
    assert sum(told) == 60
    assert need.asked == 1
    books = {book.stem: book.read_text().split() for book in tmp_path.iterdir()}
    assert len(books) == 3  # this process, and two workers
    for words in books.values():
        assert words.count("made") == words.count("closed")
