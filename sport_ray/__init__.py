"""Sport-Ray: trade certified risk for task performance, with Projected PPO on Ray.

The folders are the steps of the method (arXiv 2504.06386): ``properties`` (what is promised),
``policies`` (the base policy), ``envs``, ``rollouts`` (independent scenarios), ``bounds`` (what
they prove), ``projection`` (staying within log alpha of the base) and ``projected_ppo``.

Importing this package registers the gymnasium id ``sport_ray/PointReachAvoid-v0`` by name and
nothing else: numba, torch and ray load with the modules that use them.
"""

from __future__ import annotations

__version__ = "0.1.0"

try:
    from sport_ray.envs.registration import register_envs
except ModuleNotFoundError as error:  # sport_ray.deploy does without gymnasium
    if error.name != "gymnasium":
        raise
else:
    register_envs()

__all__ = ["__version__", "register_envs"]
