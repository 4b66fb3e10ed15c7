"""A categorical law over indices (..., 1) as torch has distributions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class IndexDistribution(torch.distributions.Distribution):
    """Index j with probability p_j, drawn by the inverse of the cumulative sums.

    probabilities: (..., n), on the grid; log_prob: log p (..., n), what is learned through.
    """

    arg_constraints: dict[str, Any] = {}  # noqa: RUF012 - torch's own declaration

    def __init__(self, probabilities: Tensor, log_probs: Tensor) -> None:
        self.probabilities, self.log_probs = probabilities, log_probs
        super().__init__(probabilities.shape[:-1], torch.Size([1]), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Indices as numbers, (*sample_shape, ..., 1)."""
        with torch.no_grad():
            p = self.probabilities
            shape = self._extended_shape(torch.Size(sample_shape))
            noise = torch.rand(shape, dtype=torch.float64, device=p.device)
            below = p.double().cumsum(-1) <= noise
            return below.sum(-1, keepdim=True).to(p.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log p_j, nats, (...)."""
        index = value.long()
        lead = torch.broadcast_shapes(index.shape[:-1], self.log_probs.shape[:-1])
        logs = self.log_probs.expand(*lead, self.log_probs.shape[-1])
        return logs.gather(-1, index.expand(*lead, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """−Σ_j p_j log p_j, nats, (...)."""
        p = self.probabilities
        return -(p * torch.where(p > 0.0, self.log_probs, 0.0)).sum(-1)
