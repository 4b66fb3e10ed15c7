"""A process's own environment, kept from portion to portion: some take long to make."""

from __future__ import annotations

import time
from types import TracebackType

from sport_ray.rollouts.environment import steps_together, usual_slots
from sport_ray.rollouts.pace import Pace
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.slots import ScenarioEnvironment

MAKING_SECONDS = 2.0
"""What a process spends on more copies than one: more than a portion has to gain by them."""
FILLINGS = 4
"""How often a portion fills the slots at most: what bounds its memory."""


class Instance:
    """The environment of a plan, with as many slots as portions need and can be had.

    Never two at a time: with more slots it is made anew, and the old one is closed before.
    """

    def __init__(self, plan: ScenarioPlan) -> None:
        self.plan = plan
        self._environment: ScenarioEnvironment | None = None
        self._slots = 0
        self._seconds_per_copy = 0.0

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def for_count(self, count: int) -> tuple[ScenarioEnvironment, int]:
        """The environment for so many scenarios, and how many slots of it to use."""
        wanted = self.plan.slots(count)
        if self._seconds_per_copy > 0.0 and not steps_together(self.plan.env_id):
            wanted = min(wanted, max(1, int(MAKING_SECONDS / self._seconds_per_copy)))
        if self._environment is None or wanted >= 2 * self._slots:
            self.close()
            began = time.monotonic()
            self._environment = self.plan.environment(wanted)
            self._slots = wanted
            self._seconds_per_copy = (time.monotonic() - began) / wanted
        return self._environment, min(self._slots, count)

    def close(self) -> None:
        """Close the environment, if there is one; it is made anew where it is needed again."""
        environment, self._environment, self._slots = self._environment, None, 0
        if environment is not None:
            environment.close()


def pace_of(plan: ScenarioPlan, workers: int) -> Pace:
    """How portions of a plan's scenarios are sized, for so many workers."""
    slots = usual_slots(plan.env_id, plan.horizon)
    # A step of all slots at once costs little more than one of few.
    first = slots if steps_together(plan.env_id) else 1
    return Pace(workers, FILLINGS * slots, first, least=first)
