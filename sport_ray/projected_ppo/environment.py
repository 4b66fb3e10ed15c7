"""Environments for training: copies side by side, squashed actions, violations counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from sport_ray.constraints import constraint_from_json
from sport_ray.envs.making import environment_spec
from sport_ray.envs.squash import MappedActions, MappedVectorActions
from sport_ray.policies.actions import ActionMapping
from sport_ray.projected_ppo.budget_environment import BudgetVectorEnv


class CountingViolations(VectorWrapper):
    """Counts the episodes with a violation (``info["cost"] > 0``), then drops the infos.

    RLlib would turn the infos into one dict per environment and step.
    """

    def __init__(self, env: VectorEnv) -> None:
        super().__init__(env)
        self._count: int | None = None  # None: the environment reports no cost
        self._violated = np.zeros(env.num_envs, dtype=bool)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; the infos are empty."""
        observation, _ = self.env.reset(**kwargs)
        self._violated[:] = False
        return observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step; the infos are empty."""
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if "cost" in infos:
            entered = (infos["cost"] > 0) & ~self._violated
            self._count = (self._count or 0) + int(entered.sum())
            self._violated |= entered
            self._violated &= ~(terminated | truncated)
        return observation, reward, terminated, truncated, {}

    def take(self) -> int | None:
        """Episodes with a violation since the last call; None where no cost is reported."""
        count, self._count = self._count, None if self._count is None else 0
        return count


def take_violations(env: gym.Env | VectorEnv) -> int | None:
    """What the counter among the wrappers of ``env`` has to tell, if there is one."""
    layer: Any = env
    while not isinstance(layer, CountingViolations):
        layer = getattr(layer, "env", None)
        if layer is None:
            return None
    return layer.take()


class TrainingEnvironment:
    """What RLlib calls to make its environments; the call gives an environment, not this class.

    A class because RLlib takes either that or a name in Tune's registry. The context holds
    ``env_id`` (a gymnasium id), ``kwargs`` (its arguments), the action mapping (``squash`` and,
    where there are bounds, ``action_low`` and ``action_high``) and, where RLlib wants a vector
    environment, ``num_envs``.

    The sample is what the distribution, the learner and every density ratio know; it is mapped on
    its way into the environment.
    """

    def __new__(cls, context: Mapping[str, Any]) -> gym.Env | VectorEnv:  # type: ignore[misc]
        """A vector environment when RLlib asks for ``num_envs``, else a single one."""
        env_id, kwargs = context["env_id"], dict(context["kwargs"])
        mapping = ActionMapping.from_json(context)
        native = environment_spec(env_id).vector_entry_point is not None
        if "num_envs" not in context:
            single = gym.make(env_id, **kwargs)
            mapping.require_fits(env_id, single.action_space)
            return single if mapping.squash == "none" else MappedActions(single, mapping)
        if native and "horizon" in kwargs:
            kwargs.pop("max_episode_steps", None)  # a TimeLimit's; it keeps its horizon itself
        vector = gym.make_vec(
            env_id,
            num_envs=context["num_envs"],
            vectorization_mode="vector_entry_point" if native else "sync",
            **kwargs,
        )
        mode = vector.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.NEXT_STEP:
            raise ValueError(
                f"{env_id} resets by {mode}; RLlib is right only with AutoresetMode.NEXT_STEP"
            )
        mapping.require_fits(env_id, vector.single_action_space)
        if mapping.squash != "none":
            vector = MappedVectorActions(vector, mapping)
        counted = CountingViolations(vector)
        constraint = constraint_from_json(context.get("constraint", {"name": "unconstrained"}))
        return BudgetVectorEnv(counted, constraint) if constraint.state_size else counted
