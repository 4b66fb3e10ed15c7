"""The exact projection of a policy trained without a bound: chosen among the base's samples.

The paper's comparison projects that policy onto the Gaussians within the ratio, which wastes most
of what the ratio allows. Among M samples of the base the choice is the projection onto *all* laws
within it, as M grows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from sport_ray.experiments.config.axes import Point
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.config.training import TaskTraining
from sport_ray.experiments.task_policies._candidates import Candidates
from sport_ray.experiments.task_policies.ppo import UnconstrainedSource
from sport_ray.experiments.task_policies.source import (
    SelectionSource,
    StudySections,
    require_density,
)

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.samplers import BaseFile


class TaskDensitySection(Section):
    """How many candidates; the policy is trained as `unconstrained_training` says."""

    candidates: Candidates = 64
    """M, actions of the base among which one is chosen at every step. [actions]"""


class _Settings(Section):
    """Those of the section, and of the training."""

    candidates: int
    training: SkipValidation[TaskTraining]


class TaskDensitySource(SelectionSource):
    """Chooses by the density ratio of a policy that PPO trained without any bound."""

    name = "task_density"
    title = "Selection, task density"
    settings: ClassVar[type[Section]] = TaskDensitySection
    promise = "its constraint's prior bound"

    def settings_in(self, study: StudySections, point: Point) -> Section:
        """Its own, and how its policy is trained."""
        own = super().settings_in(study, point)
        assert isinstance(own, TaskDensitySection)
        training = UnconstrainedSource().settings_in(study, point)
        return _Settings(candidates=own.candidates, training=training)

    def parameters(self, study: StudySections) -> set[str]:
        """Those of the training."""
        return UnconstrainedSource().parameters(study)

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of the training."""
        assert isinstance(settings, _Settings)
        return settings.training.ppo.env_steps

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """Its settings, and how its policy is trained."""
        training = UnconstrainedSource().cell_identity(study, point)
        return {**super().cell_identity(study, point), "training": training}

    def require(self, task: Task, settings: Section, base: BaseFile) -> None:
        """Refuse a base without a density."""
        require_density(base, self.name)

    def select(
        self,
        task: Task,
        settings: Section,
        base: BaseFile,
        certificate: Certificate,
        transitions: Path,
    ) -> Trained:
        """Train without a bound; choose by the ratio of densities."""
        from sport_ray.experiments.task_policies._training import (
            train_task_policy,  # Ray takes seconds
        )
        from sport_ray.policies import PolicyNetwork
        from sport_ray.selection import Selector
        from sport_ray.selection.scores.task_density import TaskDensity

        assert isinstance(settings, _Settings)
        trained = train_task_policy(task, settings.training, require_density(base, self.name))
        assert isinstance(trained.policy, PolicyNetwork)
        selector = Selector(settings.candidates, TaskDensity(trained.policy))
        return trained._replace(policy=selector)
