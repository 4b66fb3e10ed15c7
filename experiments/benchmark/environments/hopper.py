"""gymnasium's Hopper-v5 under a speed limit: to get on, without a fall and never too fast.

Importing this module registers ``sport_ray_bench/Hopper-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.hopper:sport_ray_bench/Hopper-v0``, it is found in
any process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv

from sport_ray.envs.labelled import Labelled
from sport_ray.experiments.benchmark.environments.caution import Cautious

ENV_ID = "sport_ray_bench/Hopper-v0"
SPEED_LIMIT = 1.5
"""m/s of the torso; policies that are good at the stock task hop at 2 to 3."""


def healthy(env: gymnasium.Env[Any, Any]) -> bool:
    """What the stock environment calls so: torso above 0.7 m and within 0.2 rad of upright."""
    simulator: Any = env.unwrapped
    return bool(simulator.is_healthy)


def excess(env: gymnasium.Env[Any, Any]) -> float:
    """How much faster than the limit the torso moves forward at the end of the step, m/s."""
    simulator: Any = env.unwrapped
    return float(simulator.data.qvel[0]) - SPEED_LIMIT


def hopper(
    caution: float = 0.0, margin: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment with its reward: speed, 1 for each healthy step, less effort.

    The step that ends unhealthy ends the episode, and its signals say so: nothing is missed.
    ``caution`` is for training a base policy that keeps to the limit.
    """
    env = Labelled(HopperEnv(render_mode=render_mode), {"healthy": healthy, "fast": excess})
    return Cautious(env, "fast", caution, margin) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:hopper", disable_env_checker=True)
