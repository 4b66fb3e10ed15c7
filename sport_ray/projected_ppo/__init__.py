"""Projected PPO on RLlib: clipped PPO whose workers sample from the projected policy.

``IndexPPO`` is the same over the index of one of M actions that are drawn from the base.
"""

from sport_ray.projected_ppo.algorithm import Gradient, ProjectedPPO, ProjectedPPOConfig, Sampling
from sport_ray.projected_ppo.environment import TrainingEnvironment
from sport_ray.projected_ppo.index_algorithm import IndexPPO, IndexPPOConfig

__all__ = [
    "Gradient",
    "IndexPPO",
    "IndexPPOConfig",
    "ProjectedPPO",
    "ProjectedPPOConfig",
    "Sampling",
    "TrainingEnvironment",
]
