"""Environments for training: many copies side by side, squashed actions, no per-step infos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

import sport_ray  # registers the ids in a fresh worker process
from sport_ray.envs.squash import TanhActions, TanhVectorActions

assert sport_ray


class WithoutInfos(VectorWrapper):
    """Drops the infos: RLlib would turn them into one dict per environment and step."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; the infos are empty."""
        observation, _ = self.env.reset(**kwargs)
        return observation, {}

    def step(self, actions: np.ndarray) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step; the infos are empty."""
        observation, reward, terminated, truncated, _ = self.env.step(actions)
        return observation, reward, terminated, truncated, {}


class TrainingEnvironment:
    """What RLlib calls to make its environments; the call gives an environment, not this class.

    A class because RLlib takes either that or a name in Tune's registry. The context holds
    ``env_id`` (a gymnasium id), ``kwargs`` (its arguments), ``squash`` ("tanh" or "none") and,
    where RLlib wants a vector environment, ``num_envs``.

    The pre-squash action is what the distribution, the learner and every density ratio know; it
    is squashed on its way into the environment.
    """

    def __new__(cls, context: Mapping[str, Any]) -> gym.Env | VectorEnv:  # type: ignore[misc]
        """A vector environment when RLlib asks for ``num_envs``, else a single one."""
        env_id, kwargs = context["env_id"], dict(context["kwargs"])
        tanh = context["squash"] == "tanh"
        if "num_envs" not in context:
            single = gym.make(env_id, **kwargs)
            return TanhActions(single) if tanh else single
        native = gym.spec(env_id).vector_entry_point is not None
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
        return WithoutInfos(TanhVectorActions(vector) if tanh else vector)
