"""Selection by a critic of the base, learned from the certificate's own scenarios."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from sport_ray.experiments.config.base import Positive, Rate, Section
from sport_ray.experiments.config.training import Width
from sport_ray.experiments.task_policies._candidates import Candidates
from sport_ray.experiments.task_policies.source import SelectionSource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.samplers import BaseFile

Widths = Annotated[tuple[Width, ...], Field(strict=False, min_length=1, max_length=10)]


class CriticSection(Section):
    """How the critic is built and learned; the defaults are those measured on the point robot."""

    candidates: Candidates = 64
    """M, actions of the base among which one is chosen at every step. [actions]"""
    embedding: Widths = (256, 256)
    """Widths of the layers that see the observation alone, once for all candidates. [neurons]"""
    hidden: Widths = (128, 64)
    """Widths of the layers that every candidate passes. [neurons]"""
    outcome_updates: Positive = 1_000
    """Gradient steps on what followed in the scenarios. [gradient steps]"""
    bootstrap_updates: Positive = 8_000
    """Gradient steps on the critic's own law at the next state. [gradient steps]"""
    batch_size: Positive = 512
    """Transitions of a gradient step. [transitions]"""
    lr: Rate = 1e-3
    """Learning rate at the start of each stage. [1]"""
    draws: Positive = 8
    """Actions of the base at every next state, over which the critic is averaged. [actions]"""
    rule: Literal["auto", "greedy", "quantile"] = "auto"
    """How candidates are ranked: by the mean, by the best share of episodes, or what suits."""
    sharpness: Annotated[float, Field(gt=0.0, le=1000.0)] = 1.5
    """Power of the weights of the quantile rule. [1]"""


class CriticSource(SelectionSource):
    """Chooses by what followed in the certificate's scenarios; nothing else is rolled out."""

    name = "critic"
    title = "Selection, critic"
    settings: ClassVar[type[Section]] = CriticSection
    promise = "its constraint's prior bound"
    needs_transitions = True
    in_training = "no episodes"

    def select(
        self,
        task: Task,
        settings: Section,
        base: BaseFile,
        certificate: Certificate,
        transitions: Path,
    ) -> Trained:
        """Learn the critic from the kept transitions; choose by it."""
        from sport_ray.experiments.task_policies._critic import learn, options_of
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds
        from sport_ray.selection import Selector
        from sport_ray.selection.scores.critic import Critic

        assert isinstance(settings, CriticSection)
        started = time.monotonic()
        options = options_of(settings)
        learned = learn(task, base, certificate, transitions, options, settings.draws)
        score = Critic(learned.network, settings.rule, settings.sharpness)
        metrics: dict[str, float | int | None] = {
            "critic_loss": learned.loss,
            "critic_scenarios": learned.num_scenarios,
        }
        seconds = time.monotonic() - started
        return Trained(Selector(settings.candidates, score), 0, seconds, metrics)
