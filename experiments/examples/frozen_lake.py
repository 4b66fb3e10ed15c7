"""gymnasium's FrozenLake-v1 with signals: to the goal, and never through the ice.

Discrete actions in an environment so small that every violation probability can be computed
exactly (tests/experiments/test_frozen_lake.py holds the bounds of a whole study against them).
Importing this module registers ``sport_ray_examples/SafeFrozenLake-v0``. Named with the module,
``sport_ray.experiments.examples.frozen_lake:sport_ray_examples/SafeFrozenLake-v0``, it is found in
any process.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from sport_ray.envs.labelled import Labelled

ENV_ID = "sport_ray_examples/SafeFrozenLake-v0"


class OneHot(gymnasium.ObservationWrapper[Any, Any, Any]):
    """The number of the cell as a vector: 1 at its place, 0 elsewhere."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        assert isinstance(env.observation_space, spaces.Discrete)
        self._size = int(env.observation_space.n)
        self.observation_space = spaces.Box(0.0, 1.0, (self._size,), dtype=np.float32)

    def observation(self, observation: Any) -> np.ndarray:
        """As the vector, (cells,)."""
        found = np.zeros(self._size, dtype=np.float32)
        found[int(observation)] = 1.0
        return found


class Cautious(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Takes ``caution`` off the reward of the step that goes through the ice."""

    def __init__(self, env: gymnasium.Env[Any, Any], caution: float) -> None:
        super().__init__(env)
        self.caution = caution

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """One step."""
        seen, reward, terminated, truncated, info = self.env.step(action)
        broke = info["signals"]["hazard"]
        return seen, float(reward) - self.caution * broke, terminated, truncated, info


def safe_frozen_lake(
    map_name: str = "4x4",
    success_rate: float = 0.9,
    caution: float = 0.0,
    desc: list[str] | None = None,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """The stock environment: 1 at the goal, ended by goal and holes; the cell as a vector.

    success_rate: of a step to go where it was meant to; else to either side. ``caution`` is for
    training a base policy that keeps off the holes; the task, and every certificate, has none.
    desc: rows of S, F, H and G, in place of a map with a name.
    """
    stock = FrozenLakeEnv(
        render_mode=render_mode,
        desc=desc,  # type: ignore[arg-type]
        map_name=map_name,
        is_slippery=True,
        success_rate=success_rate,
    )
    letters = stock.desc.ravel()
    holes, goals = letters == b"H", letters == b"G"
    signals = {
        "hazard": lambda seen: bool(holes[int(np.argmax(seen))]),
        "goal": lambda seen: bool(goals[int(np.argmax(seen))]),
    }
    env: gymnasium.Env[Any, Any] = Labelled(OneHot(stock), signals)
    return Cautious(env, caution) if caution else env


if ENV_ID not in gymnasium.registry:
    gymnasium.register(ENV_ID, entry_point=f"{__name__}:safe_frozen_lake", disable_env_checker=True)
