"""The outcome table is the same to the bit for 0, 1, 2 and 4 workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ray

from sport_ray.constraints import RatioConstraint
from sport_ray.rollouts import OutcomeTotals, ProjectedBehaviour, Tally, run_scenarios
from sport_ray.rollouts.on_ray import stream_scenarios_on_ray

COUNT = 300


@pytest.fixture
def no_ray() -> Iterator[None]:
    """Without the session's Ray for a while, if it is up; another number of CPUs needs its own."""
    was_up = ray.is_initialized()
    ray.shutdown()
    yield
    if was_up:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=256 * 1024**2,
        )


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("no_ray")
def test_the_table_does_not_depend_on_the_number_of_workers(robot_plan, robot_base, robot_task):
    behaviour = ProjectedBehaviour(robot_base, robot_task, RatioConstraint(1.2))
    alone = OutcomeTotals(robot_plan.horizon)
    alone.add(run_scenarios(robot_plan, behaviour, 0, COUNT))
    for workers, chunk in ((1, 100), (2, 37), (4, 25)):
        ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False)
        try:
            totals, tally = OutcomeTotals(robot_plan.horizon), Tally()
            for outcomes, counted in stream_scenarios_on_ray(
                robot_plan, behaviour, COUNT, chunk=chunk
            ):
                totals.add(outcomes)  # refuses anything but the next scenarios, in order
                tally.add(counted)
        finally:
            ray.shutdown()
        assert totals.digest == alone.digest, workers
        assert tally == Tally(COUNT, COUNT, 0)
