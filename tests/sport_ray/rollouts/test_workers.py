"""Scenarios on Ray workers: the table of one process, whatever happens to the workers."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.rollouts import BaseBehaviour, Outcomes, ProjectedBehaviour, run_scenarios
from sport_ray.rollouts.workers import run_scenarios_on_ray

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
    assert max(told) == chunk
    assert len(told) == -(-COUNT // chunk)


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
