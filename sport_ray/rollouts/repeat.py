"""Scenarios one after the other on one instance of the environment, which so grows old."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing

from sport_ray.rollouts.behaviour import Behaviour
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios
from sport_ray.rollouts.slots import ScenarioEnvironment


def run_in_turn(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    scenarios: Iterable[int],
    environment: ScenarioEnvironment | None = None,
) -> Iterator[Outcomes]:
    """The row of each scenario, in the order given; one may come more than once.

    environment: an instance (one slot) of the plan's that has lived already; default a new one.

    Raises:
        what ``run_scenarios`` raises.
    """
    if environment is None:
        with closing(plan.environment(1)) as made:
            yield from run_in_turn(plan, behaviour, scenarios, made)
        return
    for scenario in scenarios:
        yield run_scenarios(plan, behaviour, scenario, 1, environment=environment)
