"""The entropy of the squashed action, held at a target by a coefficient that adapts.

An entropy bonus *before* tanh is free once the mean is large: the std grows, the action stays at
its bound, and the policy is bang-bang. The entropy of tanh(u) falls there, so a target for it keeps
a policy smooth. Source: Haarnoja et al. 2018, arXiv 1812.05905, section 5 and appendix C.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from sport_ray.families import Gaussian
from sport_ray.families.gaussian.squashed import reparameterised, squashed_entropy
from sport_ray.random_streams import stream

FIRST_COEFFICIENT = 0.03
"""Of the entropy in the loss, per nat, before it adapts; advantages are standardised."""


class EntropyTarget(nn.Module):
    """Adds −c·H to a loss, H the squashed entropy, and moves ln c by the gradient of ln c·(H − H̄).

    So c grows while H is below the target H̄ (nats) and falls while it is above.
    """

    def __init__(self, target: float, seed: int | None) -> None:
        super().__init__()
        self.target = target
        self.log_coefficient = nn.Parameter(torch.tensor(math.log(FIRST_COEFFICIENT)))
        self._noise = stream(seed, "training entropy")

    @property
    def coefficient(self) -> Tensor:
        """Weight of the entropy in the loss, per nat, without gradient."""
        return self.log_coefficient.detach().exp()

    def loss(self, law: Gaussian) -> tuple[Tensor, Tensor]:
        """What to add to the loss, and H: means over the laws (n, D)."""
        mean = law.mean
        noise = self._noise.standard_normal(mean.shape).astype(np.float32)
        drawn = reparameterised(law, torch.from_numpy(noise).to(mean))
        entropy = squashed_entropy(law, drawn).mean()
        off = entropy.detach() - self.target
        return self.log_coefficient * off - self.coefficient * entropy, entropy.detach()
