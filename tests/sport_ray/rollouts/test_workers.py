"""Scenarios on Ray workers: the table of one process, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    ProjectedBehaviour,
    ScenarioPlan,
    run_scenarios,
)
from sport_ray.rollouts.on_ray import run_scenarios_on_ray
from tests.slow_simulator import NAMED

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("local_ray")]

COUNT = 60


def assert_same(got: Outcomes, want: Outcomes) -> None:
    wanted = want.to_arrays()
    for name, values in got.to_arrays().items():
        assert values.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)


@pytest.mark.parametrize("chunk", [COUNT, 25, 7])
def test_the_table_is_that_of_one_process(robot_plan, robot_base, robot_task, chunk):
    behaviour = ProjectedBehaviour(robot_base, robot_task, RatioConstraint(1.2))
    told: list[int] = []
    outcomes = run_scenarios_on_ray(robot_plan, behaviour, COUNT, chunk=chunk, progress=told.append)
    assert_same(outcomes, run_scenarios(robot_plan, behaviour, 0, COUNT))
    assert sum(told) == COUNT
    assert max(told) == chunk  # the robot's first portion may have a thousand
    assert len(told) == -(-COUNT // chunk)


@pytest.mark.parametrize(("copies", "each", "processes"), [(None, 3, 2), (5, None, 2), (1, 4, 1)])
def test_both_cores_share_a_slow_simulator_and_its_copies(tmp_path, copies, each, processes):
    """Progress comes by the scenario at first; no process has more copies than it may."""
    plan = ScenarioPlan(
        env_id=NAMED,
        env_kwargs={"seconds": 0.02, "book": str(tmp_path)},
        property="G !hazard",
        horizon=17,
        root_seed=0,
        purpose="certify",
        copies=copies,
        copies_per_process=each,
    )
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(8,))
    behaviour = BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))
    told: list[int] = []
    outcomes = run_scenarios_on_ray(plan, behaviour, COUNT, progress=told.append)
    books = [book.read_text().splitlines() for book in tmp_path.iterdir()]
    quiet = plan.model_copy(update={"env_kwargs": {"seconds": 0.0}})
    assert_same(outcomes, run_scenarios(quiet, behaviour, 0, COUNT))
    assert told[0] == 1
    assert sum(told) == COUNT
    assert len(books) == processes
    most = min(each or COUNT, (copies or COUNT) // processes)
    for lines in books:
        there = largest = 0
        for what in (line.split()[1] for line in lines):
            there += 1 if what == "made" else -1
            largest = max(largest, there)
        assert there == 0  # closed, also in workers that are ended
        assert 1 <= largest <= most


def test_a_worker_that_always_dies_is_one_line(robot_plan, robot_base):
    class Deadly(BaseBehaviour):
        """Ends its process whenever it acts."""

        def step(self, observation, state, draws=None, taken=None):
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError

    with pytest.raises(
        UserError, match=r"died 4 times in scenarios 0 to 9 of sport_ray/"
    ) as caught:
        run_scenarios_on_ray(robot_plan, Deadly(robot_base), 10)
    assert "\n" not in str(caught.value)


def test_a_killed_worker_changes_nothing(robot_plan, robot_base, tmp_path):
    """One worker is killed in the middle of its chunk; Ray runs that chunk again."""
    marker = tmp_path / "killed"

    class Murderous(BaseBehaviour):
        """Acts as the base does, but the first to take a tenth step kills its own process."""

        steps = 0

        def step(self, observation, state, draws=None, taken=None):
            self.steps += 1
            if self.steps == 10:
                try:
                    marker.touch(exist_ok=False)
                except FileExistsError:
                    pass
                else:
                    marker.write_text(str(os.getpid()))
                    os.kill(os.getpid(), signal.SIGKILL)
            return super().step(observation, state, draws, taken)

    told: list[int] = []
    outcomes = run_scenarios_on_ray(
        robot_plan, Murderous(robot_base), COUNT, chunk=20, progress=told.append
    )
    killed = int(marker.read_text())
    assert killed != os.getpid()
    assert not Path(f"/proc/{killed}").exists()
    assert sum(told) == COUNT
    assert_same(outcomes, run_scenarios(robot_plan, BaseBehaviour(robot_base), 0, COUNT))


def test_an_error_in_a_worker_is_the_error_of_one_process(robot_plan, robot_base):
    plan = robot_plan.model_copy(update={"property": "(!hazard) U home"})
    behaviour = BaseBehaviour(robot_base)
    with pytest.raises(UserError) as here:
        run_scenarios(plan, behaviour, 0, 4)
    with pytest.raises(UserError) as there:
        run_scenarios_on_ray(plan, behaviour, 4, chunk=1)
    assert str(there.value) == str(here.value)
    assert "\n" not in str(there.value)


def test_a_failed_check_in_a_worker_stops_the_run(robot_plan, robot_base):
    class Overspending(BaseBehaviour):
        """Fails as a projection outside its bound does."""

        def step(self, observation, state, draws=None, taken=None):
            raise ArithmeticError("log ratio 0.3 exceeds 0.2")

    with pytest.raises(ArithmeticError, match=r"^log ratio 0\.3 exceeds 0\.2$"):
        run_scenarios_on_ray(robot_plan, Overspending(robot_base), COUNT, chunk=10)


@pytest.mark.parametrize(("count", "chunk", "name"), [(0, 1, "count"), (1, 0, "chunk")])
def test_nothing_to_run_is_refused(robot_plan, robot_base, count, chunk, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        run_scenarios_on_ray(robot_plan, BaseBehaviour(robot_base), count, chunk=chunk)
