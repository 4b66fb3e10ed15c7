"""Episodes with everything in them: what was seen, done, paid and signalled at every step."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sport_ray.comparators.presa.behaviours import Acting
from sport_ray.envs.flatten import require_same_observations
from sport_ray.policies.network import PolicySpec
from sport_ray.properties import NEVER, Verdict, parse_property
from sport_ray.rollouts.scenarios import ScenarioPlan
from sport_ray.rollouts.seeding import scenario_generators
from sport_ray.rollouts.slots import ScenarioEnvironment

Array = NDArray[np.float64]

_SLOTS = 256


@dataclass(frozen=True, eq=False)
class Episodes:
    """n episodes of at most T steps; beyond an episode's end everything is NaN.

    observations: (n, T, O), before each step. actions: (n, T, D), before the action mapping.
    rewards: (n, T). signals: (n, T + 1, K), the property's, the first state's first.
    lengths: (n,) steps. formula: the property's.
    """

    observations: Array
    actions: Array
    rewards: Array
    signals: Array
    lengths: NDArray[np.int64]
    formula: str

    @property
    def num_steps(self) -> int:
        """Environment steps of all episodes."""
        return int(self.lengths.sum())

    def num_violations(self) -> int:
        """Episodes that violate the property for good; running out of time does not count."""
        return int((self._verdict().violated_at != NEVER).sum())

    def num_unsatisfied(self) -> int:
        """Episodes that violate the property, late ones included: what training counts."""
        return int((self._verdict().robustness < 0.0).sum())

    def _verdict(self) -> Verdict:
        prop = parse_property(self.formula)
        named = {name: self.signals[:, :, k] for k, name in enumerate(prop.signal_names)}
        return prop.evaluate(named, self.lengths + 1)

    @classmethod
    def concatenate(cls, parts: list[Episodes]) -> Episodes:
        """One table of several."""
        arrays = ("observations", "actions", "rewards", "signals", "lengths")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays}
        return cls(**joined, formula=parts[0].formula)


def collect(
    plan: ScenarioPlan, spec: PolicySpec, acting: Acting, first: int, count: int
) -> Episodes:
    """Run scenarios ``first`` … ``first + count − 1`` of a plan and keep every step.

    Scenario i draws its layout and its noise as ``run_scenarios`` does, so what happens in it is
    the same there and here; an episode ends where the environment ends it, or after T steps.

    Raises:
        UserError: signals that the property needs and the environment lacks, or actions that do
            not fit.
    """
    slots = plan.slots(count, _SLOTS)
    parts = []
    for start in range(first, first + count, slots):
        together = min(slots, first + count - start)
        with closing(plan.environment(together)) as environment:
            parts.append(_lockstep(plan, environment, spec, acting, start, together))
    return Episodes.concatenate(parts)


def _lockstep(
    plan: ScenarioPlan,
    environment: ScenarioEnvironment,
    spec: PolicySpec,
    acting: Acting,
    first: int,
    count: int,
) -> Episodes:
    """As many slots as scenarios, all stepped together until the last one ends."""
    columns = plan.signal_columns(environment)
    spec.action_mapping.require_fits(plan.env_id, environment.action_space)
    require_same_observations(plan.env_id, spec.flattening, environment.flattening)
    generators = [
        scenario_generators(plan.root_seed, plan.purpose, first + i) for i in range(count)
    ]
    live = np.arange(count)
    numbers = range(first, first + count)
    seen, signals = environment.reset(live, [layout for layout, _ in generators], numbers)
    size = spec.action_size
    noise = np.stack(
        [spec.family.draw_noise(action, plan.horizon, size) for _, action in generators]
    )

    observations = np.full((count, plan.horizon, seen.shape[1]), np.nan)
    actions = np.full((count, plan.horizon, size), np.nan)
    rewards = np.full((count, plan.horizon), np.nan)
    trace = np.full((count, plan.horizon + 1, len(columns)), np.nan)
    trace[:, 0] = signals[:, columns]
    lengths = np.full(count, plan.horizon, dtype=np.int64)
    for step in range(plan.horizon):
        action = acting(seen).sample(noise[live, step])
        observations[live, step], actions[live, step] = seen, action
        transition = environment.step(live, spec.action_mapping(action))
        rewards[live, step] = transition.reward
        trace[live, step + 1] = transition.signals[:, columns]
        over = transition.terminated | transition.truncated
        lengths[live[over]] = step + 1
        live, seen = live[~over], transition.observation[~over]
        if not live.size:
            break
    return Episodes(observations, actions, rewards, trace, lengths, plan.property)
