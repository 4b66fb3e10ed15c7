"""The base itself as a cell: what every other policy is measured from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.experiments.config.base import Section
from sport_ray.experiments.task_policies.source import NoSettings, TaskPolicySource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork


class BaseSource(TaskPolicySource):
    """The base itself, whatever the constraints; one cell for each T and seed, at α = 1."""

    name = "base"
    title = "The base itself"
    settings = NoSettings
    promise = "what the base is certified for"
    under_constraint = True
    in_training = "no episodes"
    is_base = True
    needs_layers = False
    trains = False

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """Nothing is trained."""
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds

        return Trained(base, 0, 0.0, {})
