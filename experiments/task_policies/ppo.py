"""The two sources by PPO: under a cell's own constraint, and without any.

Their settings are the study's sections ``training`` and ``unconstrained_training``; axes of the
sweep (``sweep.hyperparameters``) are parameters of theirs, and of no other source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sport_ray.constraints import Unconstrained
from sport_ray.experiments.config.axes import Point, with_values
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.training import (
    PPOSection,
    TaskTraining,
    TrainingSection,
    UnconstrainedTrainingSection,
)
from sport_ray.experiments.task_policies.source import NoSettings, StudySections, TaskPolicySource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork
    from sport_ray.projected_ppo import ProjectedPPOConfig


def episodes_in(settings: PPOSection) -> int:
    """How many episodes a training run begins at most, if each takes a single step.

    The last batch begins with a step missing, and ends with up to one step of every copy too many;
    as many episodes may have begun and taken no step.
    """
    return settings.env_steps + settings.train_batch_size + 2 * settings.num_envs


class PPOSource(TaskPolicySource):
    """PPO from the base on the task's reward; without a constraint nothing is projected."""

    settings: ClassVar[type[Section]] = NoSettings
    why_alone = None
    needs_ray = True
    needs_layers = False

    def own_section(self, study: StudySections) -> PPOSection | None:
        """The section with its parameters, where that is not ``training``."""
        return None

    def trains_on(self, study: StudySections, shared: TrainingSection) -> bool:
        """Whether its episodes go on after a violation; shared: ``training`` at the point."""
        return shared.train_on_after_violation

    def settings_in(self, study: StudySections, point: Point) -> TaskTraining:
        """Its section with the point's values; the warm-up of ``training`` in any case."""
        own = self.own_section(study)
        shared = study.training if own else with_values(study.training, point)
        return TaskTraining(
            ppo=with_values(own, point) if own else shared,
            warmup_env_steps=shared.warmup_env_steps,
            gradient=shared.gradient,
            train_on_after_violation=self.trains_on(study, shared),
        )

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """The section, and what not every section holds, or not for this source."""
        found = self.settings_in(study, point)
        return {
            **found.ppo.model_dump(mode="json"),
            "warmup_env_steps": found.warmup_env_steps,
            "train_on_after_violation": found.train_on_after_violation,
        }

    def configuration(
        self, task: Task, settings: Section, base: PolicyNetwork
    ) -> ProjectedPPOConfig:
        """See ``sport_ray.experiments.task_policies._training.task_config``."""
        from sport_ray.experiments.task_policies._training import task_config  # Ray takes seconds

        assert isinstance(settings, TaskTraining)
        return task_config(task, settings, base)

    def env_steps(self, settings: Section) -> int:
        """As its section says."""
        assert isinstance(settings, TaskTraining)
        return settings.ppo.env_steps

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of PPO."""
        return self.env_steps(settings)

    def most_episodes(self, settings: Section) -> int | None:
        """One a step, those that training overshoots by, and those that never took one."""
        assert isinstance(settings, TaskTraining)
        return episodes_in(settings.ppo)

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """One run of its configuration."""
        from sport_ray.experiments.task_policies._training import run_training

        return run_training(self.configuration(task, settings, base), self.env_steps(settings))


class ProjectedPPOSource(PPOSource):
    """The paper's Projected PPO: one policy per constraint, trained under the very projection."""

    name = "projected_ppo"
    title = "Projected PPO"
    promise = "its constraint's prior bound, as it is only ever used projected"
    under_constraint = True
    in_training = "its constraint"
    sections = ("training",)
    sweep_method = "projected_ppo"

    def parameters(self, study: StudySections) -> set[str]:
        """All that its section has."""
        return set(TrainingSection.model_fields)

    def configuration(
        self, task: Task, settings: Section, base: PolicyNetwork
    ) -> ProjectedPPOConfig:
        """As for both; the task must have a constraint."""
        if isinstance(task.constraint, Unconstrained):
            raise ValueError("the task has no constraint: projected_ppo trains under a cell's own")
        return super().configuration(task, settings, base)


class UnconstrainedSource(PPOSource):
    """PPO that knows of no bound; its policy may be projected at deployment."""

    name = "unconstrained"
    title = "Unconstrained PPO"
    promise = "none before it is evaluated"
    sections = ("unconstrained_training", "training")
    sweep_method = "projected_at_deployment"

    def parameters(self, study: StudySections) -> set[str]:
        """PPO's own: not how to project. The warm-up is an axis only where its section has one."""
        shared = {"warmup_env_steps"} if study.unconstrained_training is None else set()
        return {*PPOSection.model_fields, *shared}

    def own_section(self, study: StudySections) -> PPOSection | None:
        """``unconstrained_training``, where the study has it."""
        return study.unconstrained_training

    def trains_on(self, study: StudySections, shared: TrainingSection) -> bool:
        """As its own section says; without one they go on, whatever ``training`` says."""
        own = study.unconstrained_training or UnconstrainedTrainingSection()
        return own.train_on_after_violation
