"""gymnasium's InvertedDoublePendulum-v5: to stay upright with as little force as possible.

Importing this module registers ``sport_ray_bench/DoublePendulum-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.double_pendulum:sport_ray_bench/DoublePendulum-v0``,
it is found in any process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.envs.mujoco.inverted_double_pendulum_v5 import InvertedDoublePendulumEnv

from sport_ray.envs.labelled import Labelled

ENV_ID = "sport_ray_bench/DoublePendulum-v0"
FALLEN = 1.0
"""m above the cart's axis: the stock environment ends an episode whose tip is no higher; upright
it is at 1.2."""
FRAMES = 2
"""Of 0.01 s in a control step; the stock five cost as much again, and leave a fall in six steps."""


def clearance(env: gymnasium.Env[Any, Any]) -> float:
    """How far the tip is above the height at which the pendulum counts as fallen, metres."""
    simulator: Any = env.unwrapped
    return float(simulator.data.site_xpos[0, 2]) - FALLEN


class Effort(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays ``alive`` for each step that ends upright, less ``effort`` times the action squared."""

    def __init__(self, env: gymnasium.Env[Any, Any], effort: float, alive: float) -> None:
        super().__init__(env)
        self.effort, self.alive = effort, alive

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, _, terminated, truncated, info = self.env.step(action)
        paid = self.alive * (not terminated) - self.effort * float(action[0]) ** 2
        return seen, paid, terminated, truncated, info


def double_pendulum(
    effort: float = 1.0, alive: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment; its reward is minus ``effort`` for full force, per step.

    ``alive`` is for training a base policy that stays upright: the task knows effort alone, and
    saves it most by falling. A fall ends the episode.
    """
    stock = InvertedDoublePendulumEnv(frame_skip=FRAMES, render_mode=render_mode)
    return Effort(Labelled(stock, {"upright": clearance}), effort, alive)


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:double_pendulum", disable_env_checker=True)
