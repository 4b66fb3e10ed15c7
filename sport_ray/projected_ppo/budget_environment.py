"""The vector environment that owns the budget.

Charges come with the actions, and what is left goes out with the observations, so it travels
wherever an episode does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorWrapper
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sport_ray.constraints import Constraint


def charged(cost: NDArray[np.floating]) -> NDArray[np.float64]:
    """What a cost is charged as: a float32 number above it, nothing for nothing.

    RLlib's connectors round what goes to the environment to float32, downwards as often as not.
    """
    with np.errstate(over="ignore"):  # what overflows is inf and is refused
        rounded = np.asarray(cost).astype(np.float32)
    above = np.nextafter(rounded, np.float32(np.inf))
    kept = (cost == 0.0) | ~np.isfinite(rounded)
    return np.where(kept, rounded, above).astype(np.float64)


class BudgetVectorEnv(VectorWrapper):
    """Appends the constraint's features to observations (n, O); takes actions (n, D + 1).

    The last entry of an action is what it cost (see :func:`charged`). An episode starts with the
    whole budget, also after truncation; with NEXT_STEP resets the step after an end only resets.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], constraint: Constraint) -> None:
        super().__init__(env)
        self.constraint = constraint
        space = env.single_observation_space
        assert isinstance(space, spaces.Box)
        more = np.full(constraint.num_features, np.inf)
        self.single_observation_space = spaces.Box(
            np.concatenate([space.low, -more]), np.concatenate([space.high, more]), dtype=np.float64
        )
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)
        self._state = constraint.start(env.num_envs)
        self._over = np.zeros(env.num_envs, dtype=bool)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """New episodes with whole budgets; with a ``reset_mask`` among the options, only those."""
        observation, info = self.env.reset(**kwargs)
        chosen = (kwargs.get("options") or {}).get("reset_mask")
        fresh = np.ones(self.num_envs, dtype=bool) if chosen is None else np.asarray(chosen, bool)
        self._state[fresh] = self.constraint.start(int(fresh.sum()))
        self._over[fresh] = False
        return self._seen(observation), info

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Charge the running episodes, give the others a whole budget, step.

        Raises:
            ValueError: actions without their cost.
            ArithmeticError: a charge above what was left.
        """
        actions = np.asarray(actions, dtype=np.float64)
        shape = (self.num_envs, self.single_action_space.shape[0] + 1)  # type: ignore[index]
        if actions.shape != shape:
            raise ValueError(
                f"actions must have shape {shape}, their cost last, got {actions.shape}"
            )
        running = ~self._over
        charge = charged(actions[running, -1])
        self._state[running] = self.constraint.spend(self._state[running], charge)
        self._state[self._over] = self.constraint.start(int(self._over.sum()))
        # The numbers that the policy drew are float32's, and go on as such.
        plain = actions[:, :-1].astype(np.float32)
        observation, reward, terminated, truncated, info = self.env.step(plain)
        self._over = np.asarray(terminated | truncated)
        return self._seen(observation), reward, terminated, truncated, info

    def _seen(self, observation: Any) -> Any:
        return np.concatenate([observation, self.constraint.features(self._state)], axis=1)
