"""The two sources by PPO: under a cell's own constraint, and without any.

Their settings are the study's sections ``training`` and ``unconstrained_training``; axes of the
sweep (``sweep.hyperparameters``) are parameters of theirs, and of no other source. Beside what
every source's ``train`` takes, theirs takes the ``constraint`` of the cell and the values of axes,
``hyperparameters``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from experiments.hyperparameters import Point
from experiments.section import Section
from experiments.task_policies.interface import NoSettings, TaskPolicySource
from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.policies import GaussianNetwork

if TYPE_CHECKING:
    from experiments.study import Study
    from experiments.training import Trained
    from sport_ray.certificates import Certificate


class PPOSource(TaskPolicySource):
    """PPO from the base on the task's reward; without a constraint nothing is projected."""

    settings: ClassVar[type[Section]] = NoSettings

    def train(
        self,
        study: Study,
        settings: Section,
        base: GaussianNetwork,
        certificate: Certificate,
        horizon: int,
        seed: int,
        constraint: Constraint | None = None,
        hyperparameters: Point = (),
    ) -> Trained:
        """See ``experiments.training.train_task_policy``."""
        from experiments.training import train_task_policy  # Ray takes seconds

        return train_task_policy(
            study, base, constraint or Unconstrained(), horizon, seed, hyperparameters
        )


class UnconstrainedSource(PPOSource):
    """PPO that knows of no bound; its policy may be projected at deployment."""

    name = "unconstrained"
    title = "Unconstrained PPO"
    promise = "none before it is evaluated"


class ProjectedPPOSource(PPOSource):
    """The paper's Projected PPO: one policy per constraint, trained under the very projection."""

    name = "projected_ppo"
    title = "Projected PPO"
    promise = "its constraint's prior bound, as it is only ever used projected"

    def train(
        self,
        study: Study,
        settings: Section,
        base: GaussianNetwork,
        certificate: Certificate,
        horizon: int,
        seed: int,
        constraint: Constraint | None = None,
        hyperparameters: Point = (),
    ) -> Trained:
        """See ``experiments.training.train_task_policy``; the constraint must be given."""
        if constraint is None:
            raise ValueError("constraint = None: projected_ppo trains under a cell's constraint")
        return super().train(
            study, settings, base, certificate, horizon, seed, constraint, hyperparameters
        )
