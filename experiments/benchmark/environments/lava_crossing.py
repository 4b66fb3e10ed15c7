"""MiniGrid's LavaCrossing: a new river of lava in every episode, with one gap, and a goal beyond.

Importing this module registers ``sport_ray_bench/LavaCrossing-v0``. Named with the module,
``sport_ray.experiments.benchmark.environments.lava_crossing:sport_ray_bench/LavaCrossing-v0``, it
is found in any process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.envs.crossing import CrossingEnv
from numpy.typing import NDArray

from sport_ray.envs.labelled import Labelled
from sport_ray.experiments.benchmark.environments.caution import Cautious

ENV_ID = "sport_ray_bench/LavaCrossing-v0"
KINDS = tuple(OBJECT_TO_IDX[name] for name in ("wall", "lava", "goal"))
MOVES = 3
"""Of MiniGrid's seven actions those that do anything here: turn left, turn right, step ahead."""


class Seen(gymnasium.Wrapper[Any, Any, Any, Any]):
    """What lies in the 7×7 cells before the agent, 1 or 0 for each of wall, lava and goal, (147,).

    Of actions the first three by number.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.observation_space = spaces.Box(0.0, 1.0, (7 * 7 * len(KINDS),), dtype=np.float32)
        self.action_space = spaces.Discrete(MOVES)

    def reset(self, **kwargs: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode."""
        seen, info = self.env.reset(**kwargs)
        return _kinds(seen["image"]), info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One step; MiniGrid's own limit of steps never ends it."""
        seen, reward, terminated, _, info = self.env.step(action)
        return _kinds(seen["image"]), float(reward), terminated, False, info


def _kinds(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of MiniGrid's picture (7, 7, 3), whose first channel is the kind of thing."""
    found: NDArray[np.float32] = (image[:, :, :1] == KINDS).astype(np.float32).ravel()
    return found


class Plain(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays 1 at the goal and takes ``hurry`` off each step."""

    def __init__(self, env: gymnasium.Env[Any, Any], hurry: float) -> None:
        super().__init__(env)
        self.hurry = hurry

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, _, terminated, truncated, info = self.env.step(action)
        return seen, info["signals"]["goal"] - self.hurry, terminated, truncated, info


def on(kind: str) -> Any:
    """The signal that the agent stands on a thing of that kind."""

    def stands(env: gymnasium.Env[Any, Any]) -> bool:
        simulator: Any = env.unwrapped
        below = simulator.grid.get(*simulator.agent_pos)
        return below is not None and below.type == kind

    return stands


def lava_crossing(
    size: int = 9,
    crossings: int = 1,
    hurry: float = 0.01,
    caution: float = 0.0,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """The stock environment of ``size`` × ``size`` cells, ended by goal and lava.

    crossings: rivers. Its reward is 1 at the goal, less ``hurry`` per step. ``caution`` is for
    training a base policy that keeps off the lava: what stepping into it costs.
    """
    stock = CrossingEnv(size=size, num_crossings=crossings, render_mode=render_mode)
    env = Plain(Labelled(Seen(stock), {"lava": on("lava"), "goal": on("goal")}), hurry)
    return Cautious(env, "lava", caution) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:lava_crossing", disable_env_checker=True)
