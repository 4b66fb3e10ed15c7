"""gymnasium's Reacher-v5 with a ball in its plane that the fingertip must keep out of.

Importing this module registers ``sport_ray_bench/Reacher-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.reacher:sport_ray_bench/Reacher-v0``, it is found in
any process.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
from gymnasium.envs.mujoco.reacher_v5 import ReacherEnv

from sport_ray.envs.labelled import Labelled
from sport_ray.experiments.benchmark.environments.caution import Cautious

ENV_ID = "sport_ray_bench/Reacher-v0"
CENTRE = (0.08, 0.10)
"""m from the shoulder; the arm starts stretched along x, its fingertip at (0.21, 0)."""
RADIUS = 0.04
"""m; targets are drawn within 0.2 m of the shoulder, some of them in the ball."""


def depth(seen: Any) -> float:
    """How deep in the ball the fingertip is, metres; negative outside.

    ``seen`` has the target at 4 and 5, and the way from it to the fingertip at 8 and 9.
    """
    x, y = float(seen[4] + seen[8]), float(seen[5] + seen[9])
    return RADIUS - math.hypot(x - CENTRE[0], y - CENTRE[1])


def reacher(
    caution: float = 0.0, margin: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment, whose reward is minus the distance to the target, minus effort.

    The class, not ``gymnasium.make``: that would add a time limit. Nothing ends an episode.
    """
    env = Labelled(ReacherEnv(render_mode=render_mode), {"ball": depth})
    return Cautious(env, "ball", caution, margin) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:reacher", disable_env_checker=True)
