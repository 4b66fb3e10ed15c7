"""The sections of a study on training: PPO's parameters, for task policies and for a base."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sport_ray.experiments.config.base import (
    Arguments,
    Horizon,
    Natural,
    NonNegative,
    Number,
    Positive,
    Rate,
    Section,
    Seed,
    Share,
    Steps,
    Whole,
    leave_to_stages,
)
from sport_ray.policies.network import MOST_LAYERS, WIDEST

Width = Annotated[int, Whole, Field(ge=1, le=WIDEST)]


class PPOSection(Section):
    """PPO's parameters; the defaults are the paper's (arXiv 2504.06386)."""

    env_steps: Steps = 30_000
    lr: Rate = 5e-5
    critic_lr: Rate = 3e-4
    train_batch_size: Positive = 128
    minibatch_size: Positive = 32
    num_epochs: Positive = 4
    num_envs: Positive = 1
    gamma: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.99
    gae_lambda: Share = 0.95
    clip: Rate = 0.2
    entropy_coeff: NonNegative = 0.0
    grad_clip: Rate = 0.5

    @model_validator(mode="after")
    def _minibatch(self) -> PPOSection:
        if self.minibatch_size > self.train_batch_size:
            raise ValueError(
                f"minibatch_size ({self.minibatch_size}) must not exceed "
                f"train_batch_size ({self.train_batch_size})"
            )
        return self


class TrainingSection(PPOSection):
    """How task policies are trained under the constraint."""

    warmup_env_steps: Natural = 2_500
    gradient: Literal["paper", "through_projection"] = "paper"


class TaskTraining(Section):
    """What a task policy is trained with by PPO, values of the sweep's axes in it.

    ppo: the section with PPO's own parameters; the rest is the study's, whichever section that is.
    """

    ppo: PPOSection
    warmup_env_steps: int
    gradient: Literal["paper", "through_projection"]


class BaseTrainingSection(PPOSection):
    """How ``train-base`` makes a base policy: PPO from scratch, on a reward that shuns violations.

    The entropy bonus keeps the policy wide: a base that always does the same leaves a policy
    within a density ratio of it nothing to improve. The point robot has such a reward, and the
    margin (metres) keeps it off the hazard; another environment is told by ``kwargs``, arguments
    beyond the study's own that hold in base training only.
    """

    env_steps: Steps = 725_000
    lr: Rate = 3e-4
    train_batch_size: Positive = 8_192
    minibatch_size: Positive = 512
    num_epochs: Positive = 6
    num_envs: Positive = 64
    entropy_coeff: NonNegative = 0.03
    horizon: Horizon = 100
    margin: Annotated[float, Number, Field(ge=0.0, lt=10.0)] = 0.05
    seed: Seed = 0
    hidden: Annotated[tuple[Width, ...], Field(strict=False, max_length=MOST_LAYERS)] = (256, 256)
    kwargs: Arguments = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_horizon(self) -> BaseTrainingSection:
        leave_to_stages(self.kwargs, "base_training.kwargs")
        return self
