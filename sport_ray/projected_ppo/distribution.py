"""The action distribution: a diagonal Gaussian given by its mean and std, sampled as given."""

from __future__ import annotations

from ray.rllib.core.distribution.torch.torch_distribution import TorchDiagGaussian
from torch import Tensor


class MeanStdGaussian(TorchDiagGaussian):
    """RLlib's diagonal Gaussian over (mean, std) instead of (mean, log std).

    RLlib's own takes the exponential of a log std, so the std that is sampled with would not be
    the number that was checked against the constraint.
    """

    @classmethod
    def from_logits(cls, logits: Tensor, **kwargs: object) -> MeanStdGaussian:
        """From inputs (..., 2D): the mean, then the std."""
        mean, std = logits.chunk(2, dim=-1)
        return cls(loc=mean, scale=std)

    def to_deterministic(self) -> MeanStdGaussian:
        """Itself: a mean action has infinite density ratio and voids every certificate."""
        return self
