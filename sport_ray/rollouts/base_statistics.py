"""What a user must know about a base: how much a policy within a ratio of it may still gain.

A policy within a density ratio of the base can only make more frequent what the base does anyway.
A base whose actions lie at their bounds, or whose episodes all take the same time, leaves little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.families import Gaussian
from sport_ray.families.categorical.on_grid import OnGrid
from sport_ray.families.gaussian.squashed import squashed_entropy
from sport_ray.policies.actions import ActionMapping
from sport_ray.rollouts.behaviour import Behaviour, Step
from sport_ray.rollouts.outcomes import Outcomes
from sport_ray.rollouts.scenarios import ScenarioPlan, run_scenarios

Array = NDArray[np.float64]

NEAR_BOUND = 0.99
"""Of an action scaled to [−1, 1]: beyond it tanh's slope is below 0.02."""
MOST_AT_BOUNDS = 0.5
"""More than this share of an action near its bounds: the usual action cannot go further, and what
goes the other way is rare, so a limited ratio moves little (docs/your-own-base.md)."""
NEARLY_SURE = 0.99
"""Of an action's probability: beyond it all others together are had in one step of a hundred."""
LEAST_GAIN = 0.05
"""Of the mean time: less than this is between it and the fastest tenth, so that a ratio of ten
over a whole episode saves less."""
MOST_NUMBERS = 2**22
"""Of kept actions, so that long episodes fit into memory."""


@dataclass(frozen=True)
class Spread:
    """Of a sample: mean, standard deviation, and the quantiles at 5 and 95%."""

    mean: float
    std: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Array) -> Spread:
        """Of values (n,), n ≥ 1."""
        low, high = np.quantile(values, (0.05, 0.95))
        return cls(float(values.mean()), float(values.std()), float(low), float(high))


@dataclass(frozen=True)
class Times:
    """Steps to satisfaction among the satisfied scenarios; fastest_tenth: mean of that tenth.

    No policy whose ratio to the base over the whole episode is at most 10 has a lower mean than
    the fastest tenth has, if it satisfies the property as often (up to the sample).
    """

    spread: Spread
    fastest_tenth: float

    @classmethod
    def of(cls, steps: Array) -> Times:
        """Of step counts (n,), n ≥ 1."""
        tenth = np.sort(steps)[: math.ceil(len(steps) / 10)]
        return cls(Spread.of(steps), float(tenth.mean()))


@dataclass(frozen=True)
class Widths:
    """Std of each action before its mapping, over the steps: (D,) each."""

    median: list[float]
    low: list[float]
    high: list[float]
    largest: list[float]

    @classmethod
    def of(cls, std: Array) -> Widths:
        """Of stds (m, D), m ≥ 1; low and high are the quantiles at 5 and 95%."""
        rows = [np.quantile(std, share, axis=0).tolist() for share in (0.5, 0.05, 0.95, 1.0)]
        return cls(*rows)


@dataclass(frozen=True)
class BaseStatistics:
    """Of N complete scenarios of a base, and of the m actions that it drew in some of them.

    num_violations: scenarios that violate within T steps, by T. times: None without a goal to
    reach, or where no scenario satisfies the property. total_return: of whole episodes.
    at_bounds: share of actions beyond ±0.99 of their bounds, per dimension; None without bounds.
    at_any_bound: in some dimension. std: None for a base that can only be sampled.
    entropy: of the squashed action in [−1, 1]^D, or of a categorical's, nats per step; None of any
    other. sure: share of steps in which one action of a categorical has more than 99%; else None.
    """

    num_scenarios: int
    num_actions: int
    num_violations: dict[str, int]
    times: Times | None
    total_return: Spread
    at_bounds: list[float] | None
    at_any_bound: float | None
    std: Widths | None
    entropy: float | None
    sure: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON has them."""
        return asdict(self)

    def warnings(self) -> list[str]:
        """Why a policy within a ratio of this base has little to gain; empty where it has not."""
        found = []
        if self.at_bounds is not None and max(self.at_bounds) > MOST_AT_BOUNDS:
            found.append(
                f"{max(self.at_bounds):.0%} of its drawn actions lie beyond ±{NEAR_BOUND} of their "
                "bounds: it is nearly bang-bang"
            )
        if self.sure is not None and self.sure > MOST_AT_BOUNDS:
            found.append(
                f"in {self.sure:.0%} of its steps one action has more than {NEARLY_SURE:.0%}: it "
                "is nearly deterministic"
            )
        if self.times is not None:
            gain = self.times.spread.mean - self.times.fastest_tenth
            if gain < LEAST_GAIN * self.times.spread.mean:
                found.append(
                    f"its fastest tenth of scenarios saves {gain:.2g} of "
                    f"{self.times.spread.mean:.3g} steps: its episodes are nearly all alike"
                )
        return found


class Laws(NamedTuple):
    """Of categoricals, (m,): entropy, nats, and the likeliest action's probability."""

    entropy: Array
    likeliest: Array

    @classmethod
    def of(cls, law: OnGrid) -> Laws:
        """Of a batch (m,)."""
        return cls(law.torch_distribution().entropy().detach().numpy(), law.likeliest())


def scaled_to_bounds(actions: Array, low: Array, high: Array) -> Array | None:
    """Actions (n, D) with [low, high] moved to [−1, 1]; None where a bound is not finite."""
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    found: Array = 2.0 * (actions - low) / (high - low) - 1.0
    return found


def base_statistics(
    outcomes: Outcomes,
    horizons: Sequence[int],
    *,
    has_goal: bool,
    drawn: Array,
    std: Array | None,
    mapping: ActionMapping,
    bounds: tuple[Array, Array],
    laws: Laws | None = None,
) -> BaseStatistics:
    """Statistics of scenarios, from arrays alone.

    Args:
        outcomes: of all scenarios. horizons: T at which violations are counted, steps.
        has_goal: whether the time of satisfaction says how well the base does.
        drawn: actions before the mapping, (m, D), of complete scenarios.
        std: of the Gaussians that they were drawn from, (m, D), or None.
        mapping: what the environment is given of an action. bounds: the environment's, (D,) each.
        laws: of categoricals that they were drawn from, or None.
    """
    scaled = scaled_to_bounds(mapping(drawn), *bounds)
    beyond = None if scaled is None else np.abs(scaled) > NEAR_BOUND
    satisfied = outcomes.satisfied_at[outcomes.satisfied_by(max(horizons))]
    reached = satisfied[satisfied >= 0].astype(np.float64)
    entropy = None
    if std is not None and mapping.squash == "tanh":
        law = Gaussian(*map(torch.from_numpy, (drawn, std)))  # its mean is not looked at
        entropy = float(squashed_entropy(law, torch.from_numpy(drawn)).mean())
    elif laws is not None:
        entropy = float(laws.entropy.mean())
    return BaseStatistics(
        num_scenarios=outcomes.num_scenarios,
        num_actions=len(drawn),
        num_violations={str(T): outcomes.num_violations(T) for T in horizons},
        times=Times.of(reached) if has_goal and reached.size else None,
        total_return=Spread.of(outcomes.total_reward),
        at_bounds=None if beyond is None else beyond.mean(axis=0).tolist(),
        at_any_bound=None if beyond is None else float(beyond.any(axis=1).mean()),
        std=None if std is None else Widths.of(std),
        entropy=entropy,
        sure=None if laws is None else float((laws.likeliest > NEARLY_SURE).mean()),
    )


@dataclass
class ActionRecord:
    """Keeps the drawn actions, and what they were drawn with, of scenarios below ``until``.

    ``observe`` and ``record`` are an observer and a recorder of ``run_scenarios``.
    """

    until: int
    drawn: list[Array] = field(default_factory=list)
    std: list[Array] = field(default_factory=list)
    laws: list[Laws] = field(default_factory=list)

    def observe(
        self, scenario: NDArray[np.int64], step: NDArray[np.int64], laws: Step | None, _: Any
    ) -> None:
        """Before a step."""
        kept = scenario < self.until
        if laws is None or not kept.any():
            return
        if isinstance(laws.chosen, Gaussian):
            self.std.append(np.array(laws.chosen.std.numpy()[kept]))
        elif isinstance(laws.chosen, OnGrid) and laws.candidates is None:
            self.laws.append(Laws.of(laws.chosen[kept]))

    def record(
        self,
        scenario: NDArray[np.int64],
        step: NDArray[np.int64],
        observation: Array,
        action: Array,
        reward: Array,
    ) -> None:
        """After it."""
        kept = scenario < self.until
        if kept.any():
            self.drawn.append(action[kept])


def run_for_statistics(
    plan: ScenarioPlan,
    behaviour: Behaviour,
    first: int,
    count: int,
    horizons: Sequence[int],
    *,
    has_goal: bool,
) -> tuple[BaseStatistics, Outcomes]:
    """Run scenarios ``first`` … ``first + count − 1`` of a base; what they say of it.

    Actions are kept of as many complete scenarios as fit into ``MOST_NUMBERS``, the first ones.

    Raises:
        what ``run_scenarios`` raises.
    """
    with closing(plan.environment(1)) as made:
        space: Any = made.action_space
    size = int(np.prod(space.shape or (1,)))
    whole = max(1, MOST_NUMBERS // (plan.horizon * size))
    kept = ActionRecord(until=first + min(count, whole))
    outcomes = run_scenarios(
        plan, behaviour, first, count, observer=kept.observe, recorder=kept.record
    )
    low, high = (
        np.broadcast_to(getattr(space, name, default), (size,)).astype(np.float64)
        for name, default in (("low", -np.inf), ("high", np.inf))
    )
    found = base_statistics(
        outcomes,
        horizons,
        has_goal=has_goal,
        drawn=np.concatenate(kept.drawn),
        std=np.concatenate(kept.std) if kept.std else None,
        mapping=behaviour.action_mapping,
        bounds=(low, high),
        laws=Laws(*map(np.concatenate, zip(*kept.laws, strict=True))) if kept.laws else None,
    )
    return found, outcomes
