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
from torch.nn.functional import softplus

from sport_ray.families import Gaussian
from sport_ray.random_streams import stream

FIRST_COEFFICIENT = 0.03
"""Of the entropy in the loss, per nat, before it adapts; advantages are standardised."""
_HALF_LOG_2PI_E = 0.5 * math.log(2.0 * math.pi * math.e)


def squashed_entropy(law: Gaussian, noise: Tensor) -> Tensor:
    """Estimate of the entropy of tanh(u), u ~ law, in [−1, 1]^D, nats, (n,).

    Σ_i [½ ln(2πe std_i²) + ln(1 − tanh² u_i)] with u = mean + std · noise (n, D): unbiased, and
    so is its gradient, since u moves with mean and std.
    """
    drawn = law.mean + law.std * noise
    # ln(1 − tanh² u) without the difference, which is 0 in float32 from |u| = 9 on
    slope = 2.0 * (math.log(2.0) - drawn - softplus(-2.0 * drawn))
    found: Tensor = (torch.log(law.std) + _HALF_LOG_2PI_E + slope).sum(-1)
    return found


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
        """C, per nat, without gradient."""
        return self.log_coefficient.detach().exp()

    def loss(self, law: Gaussian) -> tuple[Tensor, Tensor]:
        """What to add to the loss, and H: means over the laws (n, D)."""
        noise = self._noise.standard_normal(law.mean.shape).astype(np.float32)
        entropy = squashed_entropy(law, torch.from_numpy(noise).to(law.mean)).mean()
        off = entropy.detach() - self.target
        return self.log_coefficient * off - self.coefficient * entropy, entropy.detach()
