"""gymnasium's LunarLander-v3, with discrete and with continuous engines: to land, without a crash.

Importing this module registers ``sport_ray_bench/LunarLander-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.lunar_lander:sport_ray_bench/LunarLander-v0``, it is
found in any process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.box2d.lunar_lander import LunarLander

from sport_ray.envs.labelled import Labelled
from sport_ray.experiments.benchmark.environments.caution import Cautious

ENV_ID = "sport_ray_bench/LunarLander-v0"


def crash(env: gymnasium.Env[Any, Any], obs: Any) -> bool:
    """Whether the hull has touched the ground, or the lander has left the picture sideways."""
    simulator: Any = env.unwrapped
    return bool(simulator.game_over) or abs(float(obs[0])) >= 1.0


def landed(env: gymnasium.Env[Any, Any], obs: Any) -> bool:
    """Whether the lander has come to rest, on its legs: Box2D has put it to sleep."""
    simulator: Any = env.unwrapped
    return not simulator.lander.awake and not crash(env, obs)


class Hurry(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes ``hurry`` off each step's reward."""

    def __init__(self, env: gymnasium.Env[Any, Any], hurry: float) -> None:
        super().__init__(env)
        self.hurry = hurry

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, reward, terminated, truncated, info = self.env.step(action)
        return seen, float(reward) - self.hurry, terminated, truncated, info


def lunar_lander(
    continuous: bool = False,
    hurry: float = 0.0,
    caution: float = 0.0,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """The stock environment with its reward: progress, less fuel, 100 for landing or a crash.

    continuous: the main engine from 0 on, at half throttle and more, and side engines beyond ±0.5;
    otherwise four actions by number. Crash and landing end the episode. ``hurry`` is what a step
    costs. ``caution`` is for training a base policy: what a crash costs more.
    """
    stock = LunarLander(render_mode=render_mode, continuous=continuous)
    env: gymnasium.Env[Any, Any] = Labelled(stock, {"crash": crash, "landed": landed})
    if caution:
        env = Cautious(env, "crash", caution)
    return Hurry(env, hurry) if hurry else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:lunar_lander", disable_env_checker=True)
