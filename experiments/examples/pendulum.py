"""gymnasium's Pendulum-v1 with signals: swing up, but never faster than a limit.

Importing this module registers ``sport_ray_examples/SafePendulum-v0``. Named with the module,
``sport_ray.experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0``, it is found in any
process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from gymnasium.wrappers import RescaleAction

from sport_ray.envs.labelled import Labelled

ENV_ID = "sport_ray_examples/SafePendulum-v0"
SPEED_LIMIT = 6.0
"""rad/s; falling freely from the top the pendulum reaches 7.7 at the bottom."""
TIME_STEP = 0.1
"""s, twice the stock one: every step is paid for in the bound ε·α^T, so there are fewer."""
UPRIGHT = 0.95
"""cos θ from which on the pendulum counts as upright: within 18° of the top."""

SIGNALS = {
    "upright": lambda seen: float(seen[0]) - UPRIGHT,
    "fast": lambda seen: abs(float(seen[2])) - SPEED_LIMIT,
}


class Cautious(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes ``caution`` off each step's reward for each rad/s above the limit less ``margin``."""

    def __init__(self, env: gymnasium.Env[Any, Any], caution: float, margin: float) -> None:
        super().__init__(env)
        self.caution, self.margin = caution, margin

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, reward, terminated, truncated, info = self.env.step(action)
        excess = max(0.0, info["signals"]["fast"] + self.margin)
        return seen, float(reward) - self.caution * excess, terminated, truncated, info


def safe_pendulum(
    caution: float = 0.0, margin: float = 0.0, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """The stock environment, its torque of ±2 N m rescaled to actions in [−1, 1], with signals.

    The class, not ``gymnasium.make``: that would add a time limit of 200 steps. ``caution`` is
    for training a base policy that keeps to the limit; the task, and every certificate, has none.
    """
    stock = PendulumEnv(render_mode=render_mode)
    stock.dt = TIME_STEP
    env = Labelled(RescaleAction(stock, np.float32(-1), np.float32(1)), SIGNALS)
    return Cautious(env, caution, margin) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:safe_pendulum", disable_env_checker=True)
