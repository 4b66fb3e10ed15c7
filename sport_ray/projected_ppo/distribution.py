"""What RLlib draws actions from: a family of distributions, sampled as its numbers are given."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import torch
from ray.rllib.core.distribution.torch.torch_distribution import TorchDistribution
from torch import Tensor

from sport_ray.families import Distribution


class ActionDistribution(TorchDistribution):
    """RLlib's distribution over a family's parameters (..., P), as they are.

    RLlib's own Gaussian takes the exponential of a log std, so the std that is sampled with would
    not be the number that was checked against the constraint.
    """

    family: ClassVar[type[Distribution]]

    def _get_torch_distribution(self, parameters: Tensor) -> torch.distributions.Distribution:
        return self.family.from_parameters(parameters).torch_distribution()

    @classmethod
    def required_input_dim(cls, space: Any, **kwargs: object) -> int:
        """P, for a space of actions (D,)."""
        return cls.family.num_parameters(space.shape[0])

    @classmethod
    def from_logits(cls, logits: Tensor, **kwargs: object) -> ActionDistribution:
        """From parameters (..., P)."""
        return cls(logits)

    def to_deterministic(self) -> ActionDistribution:
        """Itself: a fixed action has infinite density ratio and voids every certificate."""
        return self


class LearnedActions(ActionDistribution):
    """The same over the numbers that a loss is computed from (``Distribution.learned``)."""

    def _get_torch_distribution(self, learned: Tensor) -> torch.distributions.Distribution:
        return self.family.learned_law(learned)


@cache
def learned_actions(family: type[Distribution]) -> type[LearnedActions]:
    """The class that RLlib makes what it learns through with, for a family."""
    return type(f"Learned{family.__name__}", (LearnedActions,), {"family": family})


@cache
def action_distribution(family: type[Distribution]) -> type[ActionDistribution]:
    """The class that RLlib makes its distributions with, for a family."""
    return type(f"{family.__name__}Actions", (ActionDistribution,), {"family": family})
