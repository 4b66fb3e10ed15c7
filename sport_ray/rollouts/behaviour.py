"""How an agent acts in a scenario: the base policy, or a task policy under a constraint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.families import Categorical, Distribution
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.frozen import FrozenGaussian
from sport_ray.policies.store import PolicyFile
from sport_ray.samplers import BaseFile, BaseSampler, sampler_of

Array = NDArray[np.float64]
Generators = Sequence[np.random.Generator]
Steps = NDArray[np.int64]


class Draws(NamedTuple):
    """What chance gave n states, before anything was decided there.

    noise: (n, K), what the chosen distribution is sampled with. candidates: (n, M, D), actions of
    the base, where one of them is to be chosen; else None.
    """

    noise: Array
    candidates: Array | None = None


class Step(NamedTuple):
    """What a behaviour samples from at n states, in float64, and what it came from.

    Distributions of actions or, with candidates (n, M, D), of the index of one of them.
    """

    chosen: Distribution
    base: Distribution
    task: Distribution
    limits: Array  # (n,) how far it may go, in the constraint's units; 0 for the base policy
    max_log_ratio: Array  # (n,) of ``chosen`` over ``base``, nats
    projected: NDArray[np.bool_]  # (n,) whether ``chosen`` differs from the task policy's
    candidates: Array | None = None

    def rows(self, chosen: NDArray[np.int64]) -> Step:
        """The same at some of the states."""
        candidates = None if self.candidates is None else self.candidates[chosen]
        laws = self.chosen[chosen], self.base[chosen], self.task[chosen]
        numbers = self.limits[chosen], self.max_log_ratio[chosen], self.projected[chosen]
        return Step(*laws, *numbers, candidates)

    def played(self, drawn: Array) -> Array:
        """The actions (n, D), before the action mapping, that what was drawn stands for."""
        if self.candidates is None:
            return drawn
        found: Array = self.candidates[np.arange(len(drawn)), drawn[:, 0].astype(np.int64)]
        return found


class Behaviour(Protocol):
    """A stochastic policy as rollouts see it; an episode may carry a state (a budget).

    A step is: ``draw``, ``step``, a sample of what was chosen, ``spend``.
    """

    @property
    def observation_size(self) -> int: ...

    @property
    def action_mapping(self) -> ActionMapping: ...

    def start(self, count: int) -> Array:
        """State of ``count`` episodes before their first step, (count, S); S may be 0."""
        ...

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """What chance gives at observations (n, O), each row from its episode's generator."""
        ...

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The distributions at observations (n, O) and states (n, S).

        taken: steps taken before, (n,), for who chooses by the time that is left.
        """
        ...

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """The states (n, S) after what was drawn, (n, D) or an index (n, 1)."""
        ...


def _gaussian_noise(base: FrozenGaussian, generators: Generators) -> Draws:
    return Draws(base.spec.family.draw_rows(generators, base.spec.action_size))


class BaseBehaviour:
    """The base policy itself: what a base certificate is about."""

    def __init__(self, base: FrozenGaussian) -> None:
        self.base = base

    @property
    def observation_size(self) -> int:
        """O, without what a budget adds."""
        return self.base.spec.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return self.base.spec.action_mapping

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """The noise of an action."""
        return _gaussian_noise(self.base, generators)

    def start(self, count: int) -> Array:
        """No state."""
        return np.zeros((count, 0))

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The base policy's distributions at observations (n, O)."""
        base = self.base.distribution(observation)
        count = len(base)
        none = np.zeros(count)
        return Step(base, base, base, none, none, np.zeros(count, dtype=bool))

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """No state."""
        return state


class SamplerBehaviour:
    """A base that can only be sampled: it plays the one action that it draws."""

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler

    @property
    def observation_size(self) -> int:
        """O."""
        return self.sampler.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return self.sampler.action_mapping

    def start(self, count: int) -> Array:
        """No state."""
        return np.zeros((count, 0))

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """One candidate; nothing is left to chance then."""
        return Draws(
            np.zeros((len(generators), 1)), self.sampler.sample_many(observation, 1, generators)
        )

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The choice among one."""
        assert draws is not None
        count = len(observation)
        only = Categorical.uniform(count, 1)
        none = np.zeros(count)
        return Step(only, only, only, none, none, np.zeros(count, dtype=bool), draws.candidates)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """No state."""
        return state


class ProjectedBehaviour:
    """The projection of a task policy onto a constraint around the base policy.

    Everything that is sampled from is a float32 number, checked in float64 by the constraint. A
    task policy may see the constraint's budget beside the observation, or not.
    """

    def __init__(self, base: FrozenGaussian, task: FrozenGaussian, constraint: Constraint) -> None:
        maps = [
            (one.spec.family, one.spec.action_mapping, one.spec.action_size) for one in (base, task)
        ]
        if maps[0] != maps[1]:
            raise ValueError(
                "base and task policy differ in family, squashing, action or observation size"
            )
        constraint.require_family(base.spec.family)
        seen = task.spec.observation_size - base.spec.observation_size
        if seen not in (0, constraint.num_features):
            raise ValueError(
                "base and task policy differ in family, squashing, action or observation size: the "
                f"task policy sees {seen} more entries, the constraint {constraint.name!r} adds "
                f"{constraint.num_features}"
            )
        self.base = base
        self.task = task
        self.constraint = constraint
        self.sees_budget = seen > 0

    @property
    def observation_size(self) -> int:
        """O, without what a budget adds."""
        return self.base.spec.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return self.base.spec.action_mapping

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """The noise of an action."""
        return _gaussian_noise(self.base, generators)

    def start(self, count: int) -> Array:
        """A whole budget for each episode."""
        return self.constraint.start(count)

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The projected distributions at observations (n, O).

        Raises:
            ArithmeticError: a distribution outside the constraint's limit (must never happen).
        """
        base = self.base.distribution(observation)
        seen = observation
        if self.sees_budget:
            seen = np.concatenate([observation, self.constraint.features(state)], axis=1)
        task = self.task.distribution(seen)
        limits = torch.from_numpy(self.constraint.limits(state))
        # Projected as float32 numbers, so that what is sampled from are such numbers, too.
        single = base.rounded(np.float32)
        found = self.constraint.project(single, task.rounded(np.float32), limits)
        chosen = found.rounded(np.float64)
        within = self.constraint.within(chosen, base, limits)
        log_ratio = chosen.max_log_ratio(base).numpy()
        within &= torch.from_numpy(log_ratio <= self.constraint.log_ratio_limit)
        if not bool(within.all()):
            raise ArithmeticError(
                f"log ratio {np.max(log_ratio)} exceeds {limits[~within].min().item()}: the "
                "projection left its limit"
            )
        projected = chosen.differs(task).numpy()
        return Step(chosen, base, task, limits.numpy(), log_ratio, projected)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """Charge what the drawn actions spent.

        Raises:
            ArithmeticError: more than there was (must never happen).
        """
        if not self.constraint.state_size:
            return state
        return self.constraint.spend(state, self.constraint.cost(step.chosen, step.base, drawn))


def base_behaviour(base: BaseFile, *, run_module: bool = False) -> Behaviour:
    """How the base itself acts; run_module as for ``UserSampler``.

    Raises:
        UserError: a user's code that has changed, or that is not to be run.
    """
    if isinstance(base, PolicyFile):
        return BaseBehaviour(FrozenGaussian(base.network))
    return SamplerBehaviour(sampler_of(base, run_module=run_module))
