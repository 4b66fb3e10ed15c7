"""FOCOPS's objective: PPO-Lagrangian's price of violations, and a loss of its own."""

from __future__ import annotations

from dataclasses import dataclass

from sport_ray.comparators.focops.loss import FirstOrderLoss
from sport_ray.comparators.ppo_lagrangian.objective import Penalty
from sport_ray.projected_ppo.objective import Surrogate


@dataclass(frozen=True)
class FirstOrder(Penalty):
    """r − ν c, where ν is moved as λ is in ``Penalty``; the policy's loss is not PPO's.

    The priced reward's advantage is A − ν A_C, by one critic. temperature, kl_limit: see the loss.
    """

    temperature: float
    kl_limit: float

    @property
    def surrogate(self) -> Surrogate:
        """The loss in the space of policies."""
        return FirstOrderLoss(self.temperature, self.kl_limit)
