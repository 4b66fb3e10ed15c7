"""The rule that picks a base: the first checkpoint of a training run that is good enough.

The rule is written in the study before anything is trained. What it looks at are scenarios of the
purpose 'base', another stretch of them for each checkpoint; the certificate's are fresh.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.scenario import scenario_bound
from sport_ray.digits import rounded_up
from sport_ray.errors import UserError
from sport_ray.experiments.config.training import AcceptSection
from sport_ray.experiments.task_policies._training import Progress
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.base_statistics import run_for_statistics

PORTION = 500
"""Scenarios after which a checkpoint may be given up."""
FAR = 5.0
"""Standard errors: a mean of the first portion so far off is not mended by the other scenarios."""


class Run(Protocol):
    """A training run that goes on in portions."""

    env_steps: int
    result: dict[str, Any]

    def advance(self, env_steps: int, progress: Progress | None = None) -> None:
        """Train until so many steps are sampled in all."""

    def policy(self) -> PolicyNetwork:
        """The policy as it is now."""

    def stop(self) -> None:
        """End the run."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint did in its scenarios.

    num_scenarios: that were run, fewer than asked where it was given up. bound: ε(T) at 1 − β of
    those. mean_steps: to satisfaction within T, over the satisfied; None where there is none.
    at_bounds: see ``BaseStatistics``, of the first portion. mean_return: of all; None under a rule
    that does not ask for it.
    """

    env_steps: int
    num_scenarios: int
    num_violations: int
    bound: float
    mean_steps: float | None
    at_bounds: list[float] | None
    accepted: bool
    mean_return: float | None = None

    @property
    def rate(self) -> float:
        """Share of its scenarios that violate."""
        return self.num_violations / self.num_scenarios

    def __str__(self) -> str:
        gain = "no time" if self.mean_steps is None else f"{self.mean_steps:.2f} steps"
        if self.mean_return is not None:
            gain = f"return {self.mean_return:.4g}"
        risk = f"{self.rate:.2%} violate (ε ≤ {rounded_up(self.bound)})"
        return f"step {self.env_steps:,}: {risk}, {gain}"


class Found(NamedTuple):
    """The accepted policy, and every checkpoint that was looked at, the accepted one last."""

    policy: PolicyNetwork
    checkpoints: list[Checkpoint]


def train_until_accepted(
    run: Run,
    rule: AcceptSection,
    plan: ScenarioPlan,
    env_steps: int,
    progress: Progress | None = None,
    tell: Callable[[Checkpoint], None] | None = None,
) -> Found:
    """Train in portions, and keep the first policy that the rule accepts.

    Args:
        plan: scenarios of the purpose 'base', cut at the rule's horizon.
        env_steps: at most so many; an algorithm may go a batch beyond.
        tell: of each checkpoint.

    Raises:
        ValueError: scenarios of another purpose.
        UserError: no checkpoint is accepted, naming the closest.
    """
    if plan.purpose != "base" or plan.horizon != rule.horizon:
        raise ValueError(f"a base is picked on scenarios for 'base' at T = {rule.horizon}")
    seen: list[Checkpoint] = []
    while run.env_steps < env_steps:
        run.advance(min(run.env_steps + rule.every, env_steps), progress)
        policy = run.policy()
        found = examined(policy, rule, plan, len(seen), run.env_steps)
        seen.append(found)
        if tell is not None:
            tell(found)
        if found.accepted:
            return Found(policy, seen)
    closest = min(seen, key=lambda one: _distance(one, rule))
    name, (low, high) = rule.gain
    asked = f"time in [{low:g}, {high:g}] steps"
    if name == "returns":
        asked = f"return in [{low:g}, {high:g}]"
    raise UserError(
        f"none of {len(seen)} checkpoints in base_training.env_steps = {env_steps} has "
        f"ε({rule.horizon}) ≤ {rule.epsilon:g} and a mean {asked}; the "
        f"closest, {closest}: train longer or otherwise, or loosen base_training.accept"
    )


def examined(
    policy: PolicyNetwork, rule: AcceptSection, plan: ScenarioPlan, number: int, env_steps: int
) -> Checkpoint:
    """The checkpoint of that number, run on its own stretch of scenarios.

    It is given up where its violations so far are too many for all the scenarios, or where the
    first portion's mean time, or return, is off by more than ``FAR`` standard errors.
    """
    name, (low, high) = rule.gain
    behaviour = BaseBehaviour(FrozenPolicy(policy))
    first, total = number * rule.num_scenarios, rule.num_scenarios
    done = violations = 0
    summed = counted = 0.0
    at_bounds: list[float] | None = None
    while done < total:
        count = min(PORTION, total - done)
        with one_thread():
            if not done:
                statistics, outcomes = run_for_statistics(
                    plan, behaviour, first, count, [rule.horizon], has_goal=name == "steps"
                )
                at_bounds = statistics.at_bounds
            else:
                outcomes = run_scenarios(plan, behaviour, first + done, count)
        satisfied = outcomes.satisfied_by(rule.horizon)
        values: NDArray[np.float64] = outcomes.total_reward
        if name == "steps":
            values = outcomes.satisfied_at[satisfied].astype(np.float64)
        violations += int(count - satisfied.sum())
        summed, counted = summed + float(values.sum()), counted + len(values)
        done += count
        if scenario_bound(total, violations, rule.beta) > rule.epsilon:
            break
        if done == count and _far(values, low, high):
            break
    mean = summed / counted if counted else None
    bound = scenario_bound(done, violations, rule.beta)
    right = mean is not None and low <= mean <= high
    accepted = done == total and bound <= rule.epsilon and right
    steps, returned = (mean, None) if name == "steps" else (None, mean)
    return Checkpoint(env_steps, done, violations, bound, steps, at_bounds, accepted, returned)


def _far(values: NDArray[np.float64], low: float, high: float) -> bool:
    """Whether the mean of such times or returns lies off the interval beyond doubt."""
    if len(values) < 2:
        return False
    off = max(low - values.mean(), values.mean() - high)
    return bool(off > FAR * values.std() / math.sqrt(len(values)))


def _distance(one: Checkpoint, rule: AcceptSection) -> float:
    """How far it is from being accepted: relative excess of the rate, and of time or return."""
    name, (low, high) = rule.gain
    mean = one.mean_steps if name == "steps" else one.mean_return
    if mean is None:
        return math.inf
    off = max(low - mean, mean - high, 0.0)
    scale = max(abs(low), abs(high)) or 1.0
    return max(one.rate / rule.epsilon - 1.0, 0.0) + (off / scale if off else 0.0)
