"""The loss whose minimum is the best policy near the last one, in the space of all policies."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sport_ray.families import Distribution
from sport_ray.projected_ppo.objective import Surrogate


@dataclass(frozen=True)
class FirstOrderLoss(Surrogate):
    """1{KL ≤ δ} (KL(π_θ ‖ π_k) − π_θ(a|s)/π_k(a|s) · A(s, a)/λ), at each state by itself.

    Its mean over a ~ π_k is least at π ∝ π_k e^{A/λ}, the best policy with a bound on KL to π_k,
    over all laws. A state where π_θ is farther than δ from π_k is left alone: there A says nothing.

    temperature: λ > 0, in units of (standardised) advantage per nat. kl_limit: δ > 0, nats.

    Source: Zhang, Vuong, Ross, First Order Constrained Optimization in Policy Space, 2020
    (arXiv 2002.06506), eq. 10 and 11.
    """

    temperature: float
    kl_limit: float

    def losses(
        self, now: Distribution, old: Distribution, ratio: Tensor, advantages: Tensor
    ) -> Tensor:
        """See the class."""
        kl = now.kl(old)
        near = (kl.detach() <= self.kl_limit).to(ratio.dtype)
        return near * (kl.to(ratio.dtype) - ratio * advantages / self.temperature)
