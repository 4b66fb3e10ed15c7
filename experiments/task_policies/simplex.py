"""A Simplex switch: unconstrained PPO under a runtime monitor, with the base as fallback.

The oldest way to use what is not trusted (Sha 2001), here with a learned monitor and aimed at an
acceptable risk: one switch for each of ``sweep.eps_max``. The monitor may err wherever it has not
been, so nothing is promised of what comes out. docs/comparators.md has how it is made.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from sport_ray.experiments.config.base import (
    Listed,
    Positive,
    Probability,
    Rate,
    Section,
    Share,
    Whole,
)
from sport_ray.experiments.task_policies._pursuing import Pursued, TrainedFreely, aim_of

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.comparators.simplex import Made
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork

Width = Annotated[int, Whole, Field(ge=1, le=1024)]
Rollouts = Annotated[int, Whole, Field(ge=20, le=10**9)]
THRESHOLDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]


class SimplexSection(Section):
    """The monitor and its threshold; PPO's parameters are those of `unconstrained`."""

    hand_overs: Rollouts = 3_000
    """Rollouts that the monitor is learned from: the task policy acts for a while, then the base
    until the end. [episodes]"""
    hidden: Annotated[list[Width], Listed, Field(max_length=8)] = Field(
        default_factory=lambda: [64, 64]
    )
    """Layers of the monitor. [units]"""
    updates: Positive = 1_000
    """Batches that each of its two networks learns from. [updates]"""
    lr: Rate = 3e-3
    """Their learning rate at the beginning; it falls to 0. [1]"""
    resume: Share = 0.5
    """The task policy acts again once the risk is below this share of the threshold; 0: never
    within the episode. [1]"""
    thresholds: Annotated[list[Share], Listed, Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: list(THRESHOLDS)
    )
    """Risks at which the base takes over, rising: tried in this order, up to the first that fails.
    [probability]"""
    num_scenarios: Positive = 2_000
    """Fresh rollouts of each threshold that is tried. [episodes]"""
    beta: Probability = 1e-4
    """A threshold passes where the upper bound on its risk, at 1 − β, is at most ε_max: a margin
    for the evaluation's own noise. 0.5 takes about the rate itself. [probability]"""

    @model_validator(mode="after")
    def _rising(self) -> SimplexSection:
        if self.thresholds != sorted(set(self.thresholds)):
            raise ValueError(f"thresholds = {self.thresholds} do not rise: sort them")
        return self


class SimplexSource(TrainedFreely):
    """A Simplex switch: the task policy acts while a learned monitor allows it, else the base."""

    name = "simplex"
    title = "Simplex switch"
    settings: ClassVar[type[Section]] = SimplexSection
    promise = "none: its monitor is learned, and its threshold aims at the level"
    targets_risk = True

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of PPO, and all rollouts that may be run besides."""
        return super().steps(settings, horizon) + _rollouts(settings) * horizon

    def most_episodes(self, settings: Section) -> int | None:
        """As ``unconstrained``, and all rollouts that may be run besides."""
        trained = super().most_episodes(settings)
        assert trained is not None
        return trained + _rollouts(settings)

    def completed(
        self,
        task: Task,
        settings: Section,
        base: PolicyNetwork,
        certificate: Certificate,
        trained: Trained,
    ) -> Trained:
        """The switch around the network: hand-over rollouts, a monitor, then its threshold.

        Raises:
            UserError: too few rollouts.
            ArithmeticError: a monitor that diverged.
        """
        from sport_ray.comparators.simplex import MonitorOptions, make_switch  # torch takes seconds
        from sport_ray.policies import PolicyNetwork

        assert isinstance(settings, Pursued)
        assert isinstance(trained.policy, PolicyNetwork)
        own = settings.own
        assert isinstance(own, SimplexSection)
        started = time.monotonic()
        made = make_switch(
            task.plan("simplex", task.seed),
            base,
            trained.policy,
            rollouts=own.hand_overs,
            options=MonitorOptions(hidden=tuple(own.hidden), updates=own.updates, lr=own.lr),
            resume=own.resume,
            thresholds=own.thresholds,
            episodes=own.num_scenarios,
            aim=aim_of(task, self.name),
            beta=own.beta,
            seed=task.seed,
        )
        return _counted(trained, made)._replace(
            policy=made.switch,
            env_steps=trained.env_steps + made.env_steps,
            seconds=trained.seconds + time.monotonic() - started,
        )


def _rollouts(settings: Section) -> int:
    """Beside PPO's training, at most; episodes."""
    assert isinstance(settings, Pursued)
    own = settings.own
    assert isinstance(own, SimplexSection)
    return own.hand_overs + len(own.thresholds) * own.num_scenarios


def _counted(trained: Trained, made: Made) -> Trained:
    """The training with the episodes and violations of all rollouts since, and what was chosen.

    Where training did not count violations there is no sum of them.
    """
    metrics = dict(trained.metrics)
    episodes, violated = (sum(counts) for counts in zip(made.learned, made.tested, strict=True))
    for name, more in (("train_episodes", episodes), ("train_violations", violated)):
        known = metrics.get(name)
        metrics[name] = None if known is None else int(known) + more
    curves = trained.curves
    if curves is not None:
        curves = curves.followed_by(made.env_steps, episodes, violated)
    metrics |= {
        "simplex_threshold": made.switch.threshold,
        "simplex_violations": made.choice.violations,
        "simplex_tried": made.choice.tried,
        "simplex_loss": made.loss,
    }
    begun = None if trained.begun is None else trained.begun + episodes
    return trained._replace(metrics=metrics, begun=begun, curves=curves)
