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
)
from sport_ray.policies.limits import MOST_LAYERS, WIDEST

Width = Annotated[int, Whole, Field(ge=1, le=WIDEST)]


class PPOSection(Section):
    """PPO's parameters; the defaults are the paper's (arXiv 2504.06386)."""

    env_steps: Steps = 30_000
    """Environment steps of a training run."""
    lr: Rate = 5e-5
    """Learning rate of the policy."""
    critic_lr: Rate = 3e-4
    """Learning rate of the value function."""
    train_batch_size: Positive = 128
    """Environment steps between two updates."""
    minibatch_size: Positive = 32
    """Steps in one gradient."""
    num_epochs: Positive = 4
    """Passes over each batch."""
    num_envs: Positive = 1
    """Copies of the environment that are stepped side by side."""
    gamma: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.99
    """Discount per step."""
    gae_lambda: Share = 0.95
    """λ of the generalised advantage estimate."""
    clip: Rate = 0.2
    """How far PPO's likelihood ratio may leave 1."""
    entropy_coeff: NonNegative = 0.0
    """Weight of the policy's entropy, nats."""
    grad_clip: Rate = 0.5
    """Largest norm of a gradient."""

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
    """First steps, in which only the value function learns."""
    gradient: Literal["paper", "through_projection"] = "paper"
    """Of the task policy's own density, as in the paper, or of the projected one's."""


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
    within a density ratio of it nothing to improve. The point robot has such a reward; another
    environment is told by ``kwargs``.
    """

    env_steps: Steps = 725_000
    lr: Rate = 3e-4
    train_batch_size: Positive = 8_192
    minibatch_size: Positive = 512
    num_epochs: Positive = 6
    num_envs: Positive = 64
    entropy_coeff: NonNegative = 0.03
    horizon: Horizon = 100
    """Steps of an episode of base training."""
    margin: Annotated[float, Number, Field(ge=0.0, lt=10.0)] = 0.05
    """How far the point robot's reward keeps it off the hazard, metres."""
    seed: Seed = 0
    """Of base training."""
    hidden: Annotated[tuple[Width, ...], Field(strict=False, max_length=MOST_LAYERS)] = (256, 256)
    """Widths of the policy's hidden layers."""
    kwargs: Arguments = Field(default_factory=dict)
    """Environment arguments beyond the study's own, in base training only."""


class SACSection(Section):
    """Soft actor-critic's parameters (Haarnoja et al., arXiv 1812.05905)."""

    env_steps: Steps = 100_000
    """Environment steps of a training run."""
    lr: Rate = 3e-4
    """Learning rate of the policy."""
    critic_lr: Rate = 1e-3
    """Learning rate of both critics."""
    temperature_lr: Rate = 1e-3
    """Learning rate of the logarithm of the entropy's weight."""
    entropy_target: Annotated[float, Number, Field(allow_inf_nan=False)] | None = None
    """Entropy of the squashed action that its weight is adapted to, nats; by default minus the
    number of actions."""
    entropy_weight: Rate = 0.01
    """Of the entropy, in units of reward per nat, before it is adapted."""
    warmup_env_steps: Natural = 1_500
    """First steps, whose actions are uniform and in which nothing learns."""
    batch_size: Positive = 128
    """Transitions in one gradient."""
    updates_per_env_step: Rate = 0.5
    """Gradients of every network per environment step."""
    num_envs: Positive = 8
    """Copies of the environment that are stepped side by side."""
    gamma: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.99
    """Discount per step."""
    tau: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.005
    """How far the target critics follow their critics at each gradient, as a share."""
