"""Projected PPO on RLlib: clipped PPO whose workers sample from the projected policy."""

from sport_ray.projected_ppo.algorithm import Gradient, ProjectedPPO, ProjectedPPOConfig, Sampling
from sport_ray.projected_ppo.environment import TrainingEnvironment

__all__ = ["Gradient", "ProjectedPPO", "ProjectedPPOConfig", "Sampling", "TrainingEnvironment"]
