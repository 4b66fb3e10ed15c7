"""Sources whose network PPO trains without a bound, by the settings of ``unconstrained``.

So that their policies differ in the objective alone, or in what becomes of the network.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from sport_ray.experiments.config.axes import Point
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.training import TaskTraining
from sport_ray.experiments.task_policies.ppo import UnconstrainedSource, episodes_in
from sport_ray.experiments.task_policies.source import StudySections, TaskPolicySource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork
    from sport_ray.projected_ppo import ProjectedPPOConfig
    from sport_ray.projected_ppo.objective import Objective


class Pursued(Section):
    """The source's own settings, and how its policy is trained."""

    own: SkipValidation[Section]
    training: SkipValidation[TaskTraining]


class TrainedFreely(TaskPolicySource):
    """PPO from the base as ``unconstrained`` has it; nothing is projected."""

    promise = "none before it is evaluated"
    why_alone: ClassVar[str | None] = None
    needs_ray = True
    needs_layers = False

    def settings_in(self, study: StudySections, point: Point) -> Section:
        """Its own, and those of ``unconstrained``."""
        own = super().settings_in(study, point)
        training = UnconstrainedSource().settings_in(study, point)
        return Pursued(own=own, training=training)

    def parameters(self, study: StudySections) -> set[str]:
        """Those of the training."""
        return UnconstrainedSource().parameters(study)

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """Its settings, and how its policy is trained."""
        training = UnconstrainedSource().cell_identity(study, point)
        return {**super().cell_identity(study, point), "training": training}

    def configuration(
        self, task: Task, settings: Section, base: PolicyNetwork
    ) -> ProjectedPPOConfig:
        """That of ``unconstrained``."""
        from sport_ray.experiments.task_policies._training import task_config  # Ray takes seconds

        assert isinstance(settings, Pursued)
        return task_config(task, settings.training, base)

    def env_steps(self, settings: Section) -> int:
        """As the training's section says."""
        assert isinstance(settings, Pursued)
        return settings.training.ppo.env_steps

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of PPO."""
        return self.env_steps(settings)

    def most_episodes(self, settings: Section) -> int | None:
        """As ``unconstrained``."""
        assert isinstance(settings, Pursued)
        return episodes_in(settings.training.ppo)

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """One run of its configuration, completed."""
        from sport_ray.experiments.task_policies._training import run_training

        found = run_training(self.configuration(task, settings, base), self.env_steps(settings))
        return self.completed(task, settings, base, certificate, found)


class PursuingSource(TrainedFreely):
    """The same on the source's own objective."""

    @abstractmethod
    def objective(self, task: Task, own: Any) -> Objective:
        """What the policy is trained for; own: the source's section."""

    def configuration(
        self, task: Task, settings: Section, base: PolicyNetwork
    ) -> ProjectedPPOConfig:
        """That of ``unconstrained`` with the objective."""
        assert isinstance(settings, Pursued)
        found = super().configuration(task, settings, base)
        return found.training(objective=self.objective(task, settings.own))


def aim_of(task: Task, source: str) -> float:
    """The risk that a policy is to aim at.

    Raises:
        ValueError: a task without one.
    """
    if task.eps_max is None:
        raise ValueError(f"the task of {source} has no eps_max")
    return task.eps_max
