"""PPO-Lagrangian: violations have a price, which follows their share in training."""

from __future__ import annotations

from sport_ray.comparators.ppo_lagrangian.objective import Penalty
from sport_ray.comparators.ppo_lagrangian.price import moved

__all__ = ["Penalty", "moved"]
