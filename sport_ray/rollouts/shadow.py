"""Scenarios of the base policy, watched by another: what it would have made of the same actions.

The other policy's log ratio over each trajectory of the base is all that an off-policy bound needs:
the policy itself never acts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sport_ray.policies.network import PolicySpec
from sport_ray.rollouts.behaviour import Array, BaseBehaviour, ProjectedBehaviour, Step
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios
from sport_ray.rollouts.tally import Tally


class Shadowed:
    """Acts as the base policy; its state is the watcher's, and the watcher's log ratio so far."""

    def __init__(self, base: BaseBehaviour, watcher: ProjectedBehaviour) -> None:
        self.base = base
        self.watcher = watcher
        self._seen: Step | None = None

    @property
    def spec(self) -> PolicySpec:
        """Architecture of the base policy."""
        return self.base.spec

    def start(self, count: int) -> Array:
        """The watcher's state, and 0 nats."""
        return np.concatenate([self.watcher.start(count), np.zeros((count, 1))], axis=1)

    def step(self, observation: Array, state: Array) -> Step:
        """The base policy's distributions; the watcher's are kept until the actions are drawn."""
        self._seen = self.watcher.step(observation, state[:, :-1])
        return self.base.step(observation, state[:, :0])

    def spend(self, state: Array, step: Step, action: Array) -> Array:
        """The watcher pays for the base's action as if it were its own, and adds its log ratio."""
        assert self._seen is not None
        budget = self.watcher.spend(state[:, :-1], self._seen, action)
        ratio = self._seen.chosen.log_ratio(self._seen.base, action)
        return np.concatenate([budget, state[:, -1:] + ratio[:, None]], axis=1)


def watched_scenarios(
    plan: ScenarioPlan, base: BaseBehaviour, watcher: ProjectedBehaviour, count: int
) -> tuple[Outcomes, NDArray[np.float64]]:
    """Outcomes of the base in scenarios 0 … count − 1, and the watcher's log ratio over each.

    Returns:
        The table, and (count,) Σ_t log π(a_t|s_t)/π_base(a_t|s_t) up to each scenario's end, nats.

    Raises:
        what ``run_scenarios`` raises, and ``Tally.require_complete`` of the whole set.
    """
    ratios = np.full(count, np.nan)

    def ended(index: NDArray[np.int64], state: Array) -> None:
        ratios[index] = state[:, -1]

    tally = Tally()
    behaviour = Shadowed(base, watcher)
    outcomes = run_scenarios(plan, behaviour, 0, count, on_end=ended, tally=tally)
    tally.require_complete(count)
    return outcomes, ratios
