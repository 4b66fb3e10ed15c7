"""The reach-avoid point robot of the paper: one environment, a vector of them, and their simulator.

The classes load on first use, so that registering the gymnasium id does not import numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
    from sport_ray.envs.settings import RobotSettings
    from sport_ray.envs.simulator import PointReachAvoidSimulator
    from sport_ray.envs.vector import PointReachAvoidVectorEnv

__all__ = [
    "PointReachAvoidEnv",
    "PointReachAvoidSimulator",
    "PointReachAvoidVectorEnv",
    "RobotSettings",
]

__getattr__ = names_from(
    __name__,
    {
        "PointReachAvoidEnv": ".point_reach_avoid",
        "PointReachAvoidSimulator": ".simulator",
        "PointReachAvoidVectorEnv": ".vector",
        "RobotSettings": ".settings",
    },
)
