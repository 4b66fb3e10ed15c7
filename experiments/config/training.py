"""The sections of a study on training: PPO's parameters, for task policies and for a base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from sport_ray.bounds.scenario import scenario_bound
from sport_ray.experiments.config.base import (
    Arguments,
    Horizon,
    Natural,
    NonNegative,
    Number,
    Positive,
    Probability,
    Rate,
    Section,
    Seed,
    Share,
    Steps,
    Whole,
)
from sport_ray.policies.limits import MOST_LAYERS, WIDEST

Width = Annotated[int, Whole, Field(ge=1, le=WIDEST)]
Pixels = Annotated[int, Whole, Field(ge=1, le=4096)]

Finite = Annotated[float, Number, Field(allow_inf_nan=False)]
Layer = Annotated[tuple[Pixels, Pixels, Pixels], Field(strict=False)]


class PPOSection(Section):
    """PPO's parameters; the defaults are the paper's (arXiv 2504.06386)."""

    env_steps: Steps = 30_000
    """Environment steps of a training run. [env steps]"""
    lr: Rate = 5e-5
    """Learning rate of the policy. [1]"""
    critic_lr: Rate = 3e-4
    """Learning rate of the value function. [1]"""
    train_batch_size: Positive = 128
    """Environment steps between two updates. [env steps]"""
    minibatch_size: Positive = 32
    """Steps in one gradient. [env steps]"""
    num_epochs: Positive = 4
    """Passes over each batch. [passes]"""
    num_envs: Positive = 1
    """Copies of the environment that are stepped side by side. [copies]"""
    gamma: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.99
    """Discount per step. [1]"""
    gae_lambda: Share = 0.95
    """λ of the generalised advantage estimate. [1]"""
    clip: Rate = 0.2
    """How far PPO's likelihood ratio may leave 1. [1]"""
    entropy_coeff: NonNegative = 0.0
    """Weight of the policy's entropy, nats. [1/nat]"""
    grad_clip: Rate = 0.5
    """Largest norm of a gradient. [1]"""

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
    """First steps, in which only the value function learns. [env steps]"""
    gradient: Literal["paper", "through_projection"] = "paper"
    """Of the task policy's own density, as in the paper, or of the projected one's."""
    train_on_after_violation: bool = False
    """Whether an episode goes on once the property can never be satisfied any more."""


class UnconstrainedTrainingSection(PPOSection):
    """How task policies are trained without a constraint: free to go through a violation."""

    train_on_after_violation: bool = True
    """Whether an episode goes on once the property can never be satisfied any more; without this
    section it does."""


class TaskTraining(Section):
    """What a task policy is trained with by PPO, values of the sweep's axes in it.

    ppo: the section with PPO's own parameters; the rest is the study's, whichever section that is.
    """

    ppo: PPOSection
    warmup_env_steps: int
    gradient: Literal["paper", "through_projection"]
    train_on_after_violation: bool


class AcceptSection(Section):
    """When a checkpoint of base training is good enough: the first one that is becomes the base.

    Each is run on scenarios of its own, which no certificate or evaluation uses; a certificate
    still needs fresh ones, since these chose the policy (docs/certificates.md).
    """

    horizon: Horizon
    """T of the rule, steps. [steps]"""
    epsilon: Probability
    """The scenario bound of the violation probability within `horizon` must be at most this.
    [probability]"""
    steps: Annotated[tuple[Rate, Rate], Field(strict=False)] | None = None
    """Between these the mean time to satisfaction must lie, over scenarios satisfied within
    `horizon`, steps; of a property that is settled so. [steps]"""
    returns: Annotated[tuple[Finite, Finite], Field(strict=False)] | None = None
    """Between these the mean return must lie, over all scenarios, on the task's reward; of any
    other property. [reward]"""
    num_scenarios: Positive = 10_000
    """Scenarios of a checkpoint. [scenarios]"""
    every: Steps = 2_500
    """Environment steps of training between two checkpoints. [env steps]"""
    beta: Probability = 1e-7
    """Confidence of the bound is 1 − β, of each checkpoint by itself. [probability]"""

    @model_validator(mode="after")
    def _attainable(self) -> AcceptSection:
        if (self.steps is None) == (self.returns is None):
            given = "both are given" if self.steps else "neither is given"
            raise ValueError(f"steps or returns, one of the two: {given}")
        name, (low, high) = self.gain
        if low > high:
            raise ValueError(f"{name} = [{low:g}, {high:g}]: the first must not exceed the second")
        if name == "steps" and low > self.horizon:
            raise ValueError(
                f"steps = [{low:g}, {high:g}] are more than horizon = {self.horizon}: no scenario "
                "satisfied within it takes so many"
            )
        least = scenario_bound(self.num_scenarios, 0, self.beta)
        if least > self.epsilon:
            raise ValueError(
                f"epsilon = {self.epsilon:g} cannot be shown by num_scenarios = "
                f"{self.num_scenarios}, of which none violates ({least:.2g}): raise either"
            )
        return self

    @property
    def gain(self) -> tuple[Literal["steps", "returns"], tuple[float, float]]:
        """What is to lie in an interval, and the interval."""
        if self.returns is not None:
            return "returns", self.returns
        assert self.steps is not None
        return "steps", self.steps


class SACSection(Section):
    """Soft actor-critic's parameters (Haarnoja et al., arXiv 1812.05905)."""

    env_steps: Steps = 100_000
    """Environment steps of a training run. [env steps]"""
    lr: Rate = 3e-4
    """Learning rate of the policy. [1]"""
    critic_lr: Rate = 1e-3
    """Learning rate of both critics. [1]"""
    temperature_lr: Rate = 1e-3
    """Learning rate of the logarithm of the entropy's weight. [1]"""
    entropy_target: Annotated[float, Number, Field(allow_inf_nan=False)] | None = None
    """Entropy of the squashed action that its weight is adapted to, nats; by default minus the
    number of actions. [nats]"""
    entropy_weight: Rate = 0.01
    """Of the entropy, in units of reward per nat, before it is adapted. [reward/nat]"""
    warmup_env_steps: Natural = 1_500
    """First steps, whose actions are uniform and in which nothing learns. [env steps]"""
    batch_size: Positive = 128
    """Transitions in one gradient. [transitions]"""
    updates_per_env_step: Rate = 0.5
    """Gradients of every network per environment step. [gradient steps/env step]"""
    num_envs: Positive = 8
    """Copies of the environment that are stepped side by side. [copies]"""
    gamma: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.99
    """Discount per step. [1]"""
    tau: Annotated[float, Number, Field(gt=0.0, le=1.0)] = 0.005
    """How far the target critics follow their critics at each gradient, as a share. [1]"""


class BaseSection(Section):
    """What every way of making a base policy is told."""

    horizon: Horizon = 100
    """Steps of an episode of base training. [steps]"""
    margin: Annotated[float, Number, Field(ge=0.0, lt=10.0)] = 0.05
    """How far the point robot's reward keeps it off the hazard, metres. [m]"""
    seed: Seed = 0
    """Of base training. [1]"""
    hidden: Annotated[tuple[Width, ...], Field(strict=False, max_length=MOST_LAYERS)] = (256, 256)
    """Widths of the policy's hidden layers. [neurons]"""
    convolution: Annotated[tuple[Layer, ...], Field(strict=False, max_length=10)] | None = None
    """Layers before them where observations are images (a Box of three dimensions), each a list of
    filters, kernel and stride; without it NatureCNN's from 36 pixels on, two small ones from 8, and
    `[]` for none. [pixels]"""
    kwargs: Arguments = Field(default_factory=dict)
    """Environment arguments beyond the study's own, in base training only."""
    accept: AcceptSection | None = None
    """Ends training at the first checkpoint that is good enough; without it the last is kept."""


class BaseTrainingSection(PPOSection, BaseSection):
    """How ``train-base`` makes a base policy: PPO from scratch, on a reward that shuns violations.

    Entropy keeps the policy wide: a base that always does the same leaves a policy within a
    density ratio of it nothing to improve. ``entropy_target`` keeps it smooth, too. The point robot
    has such a reward; another environment is told by ``kwargs``.
    """

    algorithm: Literal["ppo"] = "ppo"
    """PPO, or soft actor-critic, whose parameters are other ones."""
    env_steps: Steps = 725_000
    lr: Rate = 3e-4
    train_batch_size: Positive = 8_192
    minibatch_size: Positive = 512
    num_epochs: Positive = 6
    num_envs: Positive = 64
    entropy_coeff: NonNegative = 0.03
    entropy_target: Annotated[float, Number, Field(allow_inf_nan=False)] | None = None
    """Of the squashed action, nats, held by a coefficient that adapts; instead of `entropy_coeff`,
    which weighs the entropy before tanh and permits a bang-bang policy. [nats]"""
    entropy_lr: Rate = 3e-3
    """Learning rate of the logarithm of that coefficient. [1]"""

    @model_validator(mode="before")
    @classmethod
    def _one_entropy(cls, raw: Any) -> Any:
        """A target leaves no weight of the entropy before tanh."""
        if not isinstance(raw, Mapping) or raw.get("entropy_target") is None:
            return raw
        if raw.get("entropy_coeff", 0.0) != 0.0:
            raise ValueError(
                f"entropy_target = {raw['entropy_target']!r} and entropy_coeff = "
                f"{raw['entropy_coeff']!r} are given: remove one"
            )
        return {**raw, "entropy_coeff": 0.0}


class SACBaseTrainingSection(SACSection, BaseSection):
    """The same by soft actor-critic: the entropy of the squashed action is held at a target.

    Such a base stays smooth. A bonus on the entropy before squashing is free once the mean is
    large, and leaves a policy that always does the one or the other extreme.
    """

    algorithm: Literal["sac"] = "sac"
    """As above."""
    entropy_target: Annotated[float, Number, Field(allow_inf_nan=False)] = 0.0
    """Entropy of the squashed action that its weight is adapted to, nats. [nats]"""


def _algorithm(given: Any) -> str:
    if isinstance(given, Section):
        return str(getattr(given, "algorithm", ""))
    return str(given.get("algorithm", "ppo")) if isinstance(given, Mapping) else "ppo"


AnyBaseTraining = Annotated[
    Annotated[BaseTrainingSection, Tag("ppo")] | Annotated[SACBaseTrainingSection, Tag("sac")],
    Discriminator(_algorithm),
]
"""By ``algorithm``."""
