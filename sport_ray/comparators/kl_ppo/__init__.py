"""PPO that pays for its distance from the base: reinforcement learning with KL control."""

from __future__ import annotations

from sport_ray.comparators.kl_ppo.objective import KLPenalty

__all__ = ["KLPenalty"]
