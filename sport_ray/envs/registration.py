"""The gymnasium id of the robot, registered by name."""

from __future__ import annotations

import gymnasium

ENV_ID = "sport_ray/PointReachAvoid-v0"


def register_envs() -> None:
    """Register ``sport_ray/PointReachAvoid-v0``, single and vector; calling it again does nothing.

    No ``max_episode_steps``: the horizon is the environment's own, because RLlib's environment
    creators get no TimeLimit wrapper. In a fresh worker process the id is known only after this
    package was imported: name it ``sport_ray:sport_ray/PointReachAvoid-v0`` there.
    """
    if ENV_ID in gymnasium.registry:
        return
    gymnasium.register(
        id=ENV_ID,
        entry_point="sport_ray.envs.point_reach_avoid:PointReachAvoidEnv",
        vector_entry_point="sport_ray.envs.vector:PointReachAvoidVectorEnv",
    )
