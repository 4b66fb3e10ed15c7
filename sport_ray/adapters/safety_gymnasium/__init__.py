"""Safety-Gymnasium's navigation tasks as gymnasium environments whose costs are signals.

Importing this package registers ``sport_ray/SafetyPointGoal1-v0`` and its kin: the stock ids behind
``sport_ray/``, for the agents and tasks below. Named with the package,
``sport_ray.adapters.safety_gymnasium:sport_ray/SafetyPointGoal1-v0``, they are found in any
process. Safety-Gymnasium itself is imported when the first environment is made
(docs/safety-gymnasium.md says how to install it).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import gymnasium

from sport_ray.adapters.safety_gymnasium.tasks import AGENTS, TASKS
from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.adapters.safety_gymnasium.environment import SafetyEnv

__all__ = ["AGENTS", "TASKS", "SafetyEnv", "register_envs"]

__getattr__ = names_from(__name__, {"SafetyEnv": ".environment"})


def register_envs() -> None:
    """Register every task with every agent; calling it again does nothing."""
    for agent, task in product(AGENTS, TASKS):
        stock = f"Safety{agent}{task}-v0"
        if f"sport_ray/{stock}" not in gymnasium.registry:
            gymnasium.register(
                id=f"sport_ray/{stock}",
                entry_point="sport_ray.adapters.safety_gymnasium.environment:SafetyEnv",
                kwargs={"task": stock},
            )


register_envs()
