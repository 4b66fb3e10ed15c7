"""highway-env's merge: past a ramp from which another car joins, fast, and without a crash.

Importing this module registers ``sport_ray_bench/Merge-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.merge:sport_ray_bench/Merge-v0``, it is found in any
process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.wrappers import FlattenObservation
from highway_env.envs.merge_env import MergeEnv

from sport_ray.envs.labelled import Labelled
from sport_ray.experiments.benchmark.environments.caution import Cautious

ENV_ID = "sport_ray_bench/Merge-v0"


def merge(
    frames: int = 5, caution: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment: five manoeuvres by number, one a second, and five cars in view.

    frames: simulated per second; the stock 15 take three times as long. A crash ends the episode,
    and so does the end of the road, 340 m ahead. ``caution`` is for training a base policy: what a
    crash costs more.
    """
    stock = MergeEnv(config={"simulation_frequency": frames}, render_mode=render_mode)
    env = Labelled(
        FlattenObservation(stock), {"crash": lambda env: bool(env.unwrapped.vehicle.crashed)}
    )
    return Cautious(env, "crash", caution) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:merge", disable_env_checker=True)
