"""Projected PPO on RLlib: clipped PPO whose workers sample from the projected policy.

``IndexPPO`` is the same over the index of one of M actions that are drawn from the base. Names load
on first use: what trains on a device does without Ray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.projected_ppo.algorithm import (
        Gradient,
        ProjectedPPO,
        ProjectedPPOConfig,
        Sampling,
    )
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

__getattr__ = names_from(
    __name__,
    {
        "Gradient": ".algorithm",
        "IndexPPO": ".index_algorithm",
        "IndexPPOConfig": ".index_algorithm",
        "ProjectedPPO": ".algorithm",
        "ProjectedPPOConfig": ".algorithm",
        "Sampling": ".algorithm",
        "TrainingEnvironment": ".environment",
    },
)
