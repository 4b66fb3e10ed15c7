"""Soft actor-critic from scratch: a task policy that knows neither the base nor any bound.

The paper's authors made the task policies of their experiment 1 this way, on random layouts and
through violations (docs/results.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Arguments, Horizon, Section
from sport_ray.experiments.config.training import SACSection
from sport_ray.experiments.task_policies.source import TaskPolicySource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork


class SoftActorCriticSection(SACSection):
    """Its settings as a source of task policies."""

    horizon: Horizon = 100
    """Steps of an episode of training. [steps]"""
    kwargs: Arguments = Field(default_factory=dict)
    """Environment arguments beyond the study's own, in its training only."""
    train_on_after_violation: bool = True
    """Whether an episode of training goes on after a violation."""
    accept: None = None  # was a key that nothing read; in the ids of cells that there are
    """Of no use here, where the last policy is kept: a rule picks bases alone."""


class SoftActorCriticSource(TaskPolicySource):
    """SAC from first weights on the task's reward, going on through violations."""

    name: ClassVar[str] = "soft_actor_critic"
    title: ClassVar[str] = "Soft actor-critic"
    settings: ClassVar[type[Section]] = SoftActorCriticSection
    promise: ClassVar[str] = "none before it is evaluated"
    why_alone: ClassVar[str | None] = "it does not train by PPO"
    depends_on_base: ClassVar[bool] = False
    needs_ray: ClassVar[bool] = True

    def steps(self, settings: Section, horizon: int) -> int:
        """As its section says."""
        assert isinstance(settings, SoftActorCriticSection)
        return settings.env_steps

    def check(self, task: Task, settings: Section, base: PolicyNetwork) -> None:
        """Refuse a base that tanh does not squash: the policy's actions are mapped as the base's.

        Raises:
            UserError: one line with the remedy.
        """
        if base.spec.squash != "tanh":
            raise UserError(
                f"task_policies.{self.name} holds the entropy of a tanh-squashed action, and the "
                f"base has squash = {base.spec.squash!r}: leave {self.name} out, or give another "
                "base"
            )

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """From the base it takes the spec alone: architecture, normalisation and action mapping."""
        from dataclasses import replace

        from sport_ray.experiments.task_policies._soft_actor_critic import sac_config
        from sport_ray.experiments.task_policies._training import (
            ended_by,
            run_training,
            training_cut,
            training_kwargs,
        )

        assert isinstance(settings, SoftActorCriticSection)
        # Episodes as long as its own section says; the cell's T is that of its evaluation.
        longer = replace(task, horizon=settings.horizon)
        ends = not settings.train_on_after_violation
        own = training_kwargs(longer, reward="task", ends=ends)
        config = sac_config(
            longer,
            settings,
            f"task_policies.{self.name}",
            spec=base.spec,
            env_kwargs={**own, **settings.kwargs},
            cut_after=training_cut(longer),
            ends_when_violated=ended_by(longer, ends),
        )
        config.training(judged=(task.property, task.horizon))
        return run_training(config, settings.env_steps)
