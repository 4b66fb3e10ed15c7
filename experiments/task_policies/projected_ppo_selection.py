"""Projected PPO over the index: the paper's algorithm, for choices among the base's own samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SkipValidation

from sport_ray.constraints import Unconstrained
from sport_ray.experiments.config.axes import Point
from sport_ray.experiments.config.base import NonNegative, Section
from sport_ray.experiments.config.training import TaskTraining
from sport_ray.experiments.task_policies._candidates import Candidates
from sport_ray.experiments.task_policies.ppo import ProjectedPPOSource, episodes_in
from sport_ray.experiments.task_policies.source import SelectionSource, StudySections

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.samplers import BaseFile


class ProjectedPPOSelectionSection(Section):
    """How many candidates; the choice is trained as `training` says."""

    candidates: Candidates = 64
    """M, actions of the base among which one is chosen at every step. [actions]"""
    warm_start: NonNegative = 0.0
    """Log weights begin at this times the return that a regression on the certificate's transitions
    predicts, nats per standard deviation of it; 0: they begin equal. [nats/std]"""


class _Settings(Section):
    """Those of the section, and of the training."""

    candidates: int
    warm_start: float
    training: SkipValidation[TaskTraining]


class ProjectedPPOSelectionSource(SelectionSource):
    """Log weights of candidates by PPO, always sampled from their projection.

    One selector per constraint, trained under the very projection that it is used in; under a
    budget its weights depend on how far the step may go. Any base will do that can be sampled.
    """

    name = "projected_ppo_selection"
    title = "Selection, PPO on the index"
    settings: ClassVar[type[Section]] = ProjectedPPOSelectionSection
    promise = "its constraint's prior bound, as it is only ever used projected"
    under_constraint = True
    in_training = "its constraint"
    needs_ray = True

    def learns_from(self, settings: Section) -> bool:
        """Where it has a warm start, whose regression is on them."""
        assert isinstance(settings, ProjectedPPOSelectionSection)
        return settings.warm_start > 0.0

    def settings_in(self, study: StudySections, point: Point) -> Section:
        """Its own, and those of ``training`` with the point's values."""
        own = super().settings_in(study, point)
        assert isinstance(own, ProjectedPPOSelectionSection)
        training = ProjectedPPOSource().settings_in(study, point)
        return _Settings(candidates=own.candidates, warm_start=own.warm_start, training=training)

    def parameters(self, study: StudySections) -> set[str]:
        """All that the training section has."""
        return ProjectedPPOSource().parameters(study)

    def cell_identity(self, study: StudySections, point: Point) -> dict[str, Any]:
        """Its settings, and how it is trained."""
        training = ProjectedPPOSource().cell_identity(study, point)
        return {**super().cell_identity(study, point), "training": training}

    def steps(self, settings: Section, horizon: int) -> int:
        """As of `projected_ppo`."""
        assert isinstance(settings, _Settings)
        return settings.training.ppo.env_steps

    def most_episodes(self, settings: Section) -> int | None:
        """As of `projected_ppo`."""
        assert isinstance(settings, _Settings)
        return episodes_in(settings.training.ppo)

    def select(
        self,
        task: Task,
        settings: Section,
        base: BaseFile,
        certificate: Certificate,
        transitions: Path,
    ) -> Trained:
        """Train under the task's constraint; the task must have one.

        Raises:
            UserError: a warm start without transitions.
        """
        from sport_ray.experiments.task_policies._training import (
            index_config,  # Ray takes seconds
            run_training,
        )
        from sport_ray.experiments.task_policies._warm_start import warm_start
        from sport_ray.rollouts.transitions import load_transitions
        from sport_ray.samplers import sampler_of

        assert isinstance(settings, _Settings)
        if isinstance(task.constraint, Unconstrained):
            raise ValueError(f"the task has no constraint: {self.name} trains under a cell's own")
        config = index_config(task, settings.training, base, settings.candidates)
        if settings.warm_start:
            kept = load_transitions(transitions, certificate.digest)
            start, mapping = config.first_preference(), sampler_of(base, run_module=True)
            config.choosing(
                start=warm_start(task, kept, start, mapping.action_mapping, settings.warm_start)
            )
        return run_training(config, settings.training.ppo.env_steps)
