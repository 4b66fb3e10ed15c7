"""How an agent acts in a scenario: the base policy, or a task policy under a constraint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.envs.flatten import Flattening
from sport_ray.families import Categorical, Distribution
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.frozen import FrozenPolicy
from sport_ray.policies.store import PolicyFile
from sport_ray.samplers import BaseFile, BaseSampler, sampler_of

Array = NDArray[np.float64]
Generators = Sequence[np.random.Generator]
Steps = NDArray[np.int64]


class Draws(NamedTuple):
    """What chance gave n states, before anything was decided there.

    noise: (n, K), what the chosen distribution is sampled with. candidates: (n, M, D), actions of
    the base, where one of them is to be chosen; else None. turns: (n, J), uniform numbers of
    [0, 1), where chance decides who acts; else None.
    """

    noise: Array
    candidates: Array | None = None
    turns: Array | None = None


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
    memory: Array | None = None  # (n, M) what is kept after this observation, of what remembers

    @property
    def is_base(self) -> bool:
        """Whether the base is played as it is: all log ratios and divergences are exactly 0."""
        return self.chosen is self.base and self.chosen is self.task

    def rows(self, chosen: NDArray[np.int64]) -> Step:
        """The same at some of the states."""
        candidates = None if self.candidates is None else self.candidates[chosen]
        laws = self.chosen[chosen], self.base[chosen], self.task[chosen]
        numbers = self.limits[chosen], self.max_log_ratio[chosen], self.projected[chosen]
        memory = None if self.memory is None else self.memory[chosen]
        return Step(*laws, *numbers, candidates, memory)

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

    @property
    def flattening(self) -> Flattening | None: ...

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


def base_step(
    base: Distribution, candidates: Array | None = None, memory: Array | None = None
) -> Step:
    """A step in which the base is played as it is: nothing is allowed, nothing is projected."""
    none = np.zeros(len(base))
    return Step(base, base, base, none, none, np.zeros(len(base), dtype=bool), candidates, memory)


class AroundPolicy:
    """What behaviours around a base with a density share: sizes, action mapping, noise, memory.

    What a recurrent base remembers, (n, M), are the last numbers of an episode's state, after a
    budget's: both are functions of what happened so far.
    """

    base: FrozenPolicy

    @property
    def memory_size(self) -> int:
        """M; 0 of a base that remembers nothing."""
        return self.base.spec.memory_size

    def split(self, state: Array) -> tuple[Array, Array]:
        """The budget's part (n, S) of states, and the memory's (n, M)."""
        end = state.shape[1] - self.memory_size
        return state[:, :end], state[:, end:]

    def joined(self, budget: Array, memory: Array | None) -> Array:
        """The inverse."""
        return budget if memory is None else np.concatenate([budget, memory], axis=1)

    @property
    def observation_size(self) -> int:
        """O, without what a budget adds."""
        return self.base.spec.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return self.base.spec.action_mapping

    @property
    def flattening(self) -> Flattening | None:
        """How the environment's observations become vectors."""
        return self.base.spec.flattening

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """The noise of an action."""
        return Draws(self.base.spec.family.draw_rows(generators, self.base.spec.law_size))


class AroundSampler:
    """What behaviours around a base that is only sampled share: sizes and action mapping."""

    sampler: BaseSampler

    @property
    def observation_size(self) -> int:
        """O."""
        return self.sampler.observation_size

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action."""
        return self.sampler.action_mapping

    @property
    def flattening(self) -> Flattening | None:
        """How the environment's observations become vectors."""
        return self.sampler.flattening


class Stateless:
    """An episode that carries nothing."""

    def start(self, count: int) -> Array:
        """No state."""
        return np.zeros((count, 0))

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """No state."""
        return state


class UnderConstraint:
    """An episode that carries the constraint's budget, and steps that are checked."""

    constraint: Constraint

    def start(self, count: int) -> Array:
        """A whole budget for each episode."""
        return self.constraint.start(count)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """Charge what was drawn.

        Raises:
            ArithmeticError: more than there was (must never happen).
        """
        if not self.constraint.state_size:
            return state
        return self.constraint.spend(state, self.constraint.cost(step.chosen, step.base, drawn))

    def checked(self, chosen: Distribution, base: Distribution, limits: Array) -> Array:
        """Largest log ratio of each row, nats, once all are within the limits (n,).

        Raises:
            ArithmeticError: one that is not (must never happen).
        """
        log_ratio: Array = chosen.max_log_ratio(base).numpy()
        within = self.constraint.within(chosen, base, torch.from_numpy(limits)).numpy()
        within = within & (log_ratio <= self.constraint.log_ratio_limit)
        if not within.all():
            raise ArithmeticError(
                f"log ratio {np.max(log_ratio)} exceeds {limits[~within].min()}: the projection "
                "left its limit"
            )
        return log_ratio


class BaseBehaviour(AroundPolicy):
    """The base policy itself: what a base certificate is about."""

    def __init__(self, base: FrozenPolicy) -> None:
        self.base = base

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The base policy's distributions at observations (n, O)."""
        if not self.memory_size:
            return base_step(self.base.distribution(observation))
        found, memory = self.base.recall(observation, self.split(state)[1])
        return base_step(found, memory=memory)

    def start(self, count: int) -> Array:
        """An empty memory."""
        return np.zeros((count, self.memory_size))

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """What is remembered then."""
        return self.joined(self.split(state)[0], step.memory)


class SamplerBehaviour(AroundSampler, Stateless):
    """A base that can only be sampled: it plays the one action that it draws.

    Of several candidates, drawn for somebody else's choice, it plays any with one probability.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        self.sampler = sampler

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
        """The uniform choice, as a rule among one."""
        assert draws is not None
        assert draws.candidates is not None
        count, options = draws.candidates.shape[:2]
        return base_step(Categorical.uniform(count, options), draws.candidates)


class ProjectedBehaviour(AroundPolicy, UnderConstraint):
    """The projection of a task policy onto a constraint around the base policy.

    Everything that is sampled from is a float32 number, checked in float64 by the constraint. A
    task policy may see the constraint's budget beside the observation, or not.
    """

    def __init__(self, base: FrozenPolicy, task: FrozenPolicy, constraint: Constraint) -> None:
        maps = [
            (one.spec.family, one.spec.action_mapping, one.spec.action_size) for one in (base, task)
        ]
        if maps[0] != maps[1]:
            raise ValueError(
                "base and task policy differ in family, squashing, action or observation size"
            )
        constraint.require_family(base.spec.family)
        if task.spec.memory_size:
            raise ValueError("the task policy is recurrent: only a base policy may remember")
        if base.spec.flattening != task.spec.flattening:
            raise ValueError("base and task policy were made for different observation spaces")
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

    def start(self, count: int) -> Array:
        """A whole budget and an empty memory for each episode."""
        memory = np.zeros((count, self.memory_size)) if self.memory_size else None
        return self.joined(super().start(count), memory)

    def spend(self, state: Array, step: Step, drawn: Array) -> Array:
        """Charge what was drawn, and remember.

        Raises:
            ArithmeticError: more than there was (must never happen).
        """
        return self.joined(super().spend(self.split(state)[0], step, drawn), step.memory)

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
        state, before = self.split(state)
        base, memory = self.base.recall(observation, before)
        seen = observation
        if self.sees_budget:
            seen = np.concatenate([observation, self.constraint.features(state)], axis=1)
        task = self.task.distribution(seen)
        limits = self.constraint.limits(state)
        # Projected as float32 numbers, so that what is sampled from are such numbers, too.
        single = base.rounded(np.float32)
        bounds = torch.from_numpy(limits)
        found = self.constraint.project(single, task.rounded(np.float32), bounds)
        chosen = found.rounded(np.float64)
        log_ratio = self.checked(chosen, base, limits)
        projected = chosen.differs(task).numpy()
        after = memory if self.memory_size else None
        return Step(chosen, base, task, limits, log_ratio, projected, memory=after)


def base_behaviour(base: BaseFile, *, run_module: bool = False) -> Behaviour:
    """How the base itself acts; run_module as for ``UserSampler``.

    Raises:
        UserError: a user's code that has changed, or that is not to be run.
    """
    if isinstance(base, PolicyFile):
        return BaseBehaviour(FrozenPolicy(base.network))
    return SamplerBehaviour(sampler_of(base, run_module=run_module))
