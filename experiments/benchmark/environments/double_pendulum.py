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
FALLEN, HIGHEST = 1.0, 1.2
"""m above the cart's axis: where the stock environment ends an episode, and the tip upright."""
FRAMES = 2
"""Of 0.01 s in a control step; the stock five cost as much again, and leave a fall in six steps."""
STRENGTH = 150.0
"""N of a full action; of the stock 500 even a little noise throws the pendulum over."""
NOISE = 0.05
"""Of the start, m, rad, m/s and rad/s; half the stock one."""


def clearance(env: gymnasium.Env[Any, Any]) -> float:
    """How far the tip is above the height at which the pendulum counts as fallen, metres."""
    simulator: Any = env.unwrapped
    return float(simulator.data.site_xpos[0, 2]) - FALLEN


class Effort(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays minus ``effort`` times the action squared, whatever else happens.

    And ``alive``, with the tip at its highest; in proportion less the lower it is.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], effort: float, alive: float) -> None:
        super().__init__(env)
        self.effort, self.alive = effort, alive

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, _, terminated, truncated, info = self.env.step(action)
        paid = -self.effort * float(action[0]) ** 2
        if self.alive:
            paid += self.alive * max(0.0, info["signals"]["upright"] / (HIGHEST - FALLEN))
        return seen, paid, terminated, truncated, info


def double_pendulum(
    effort: float = 1.0, alive: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment with a weaker motor; its reward is minus ``effort`` at full action.

    ``alive`` is for training a base policy that stays upright: the task knows effort alone, and
    saves it most by doing nothing. A fall ends the episode.
    """
    stock = InvertedDoublePendulumEnv(
        frame_skip=FRAMES, reset_noise_scale=NOISE, render_mode=render_mode
    )
    stock.model.actuator_gear[0, 0] = STRENGTH
    return Effort(Labelled(stock, {"upright": clearance}), effort, alive)


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:double_pendulum", disable_env_checker=True)
