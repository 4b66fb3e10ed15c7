"""Stable-Baselines3's PPO on the same robot; the base and the projection are left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.peers.clock import Measured, repeated
from benchmarks.peers.settings import ACTOR, ENV_KWARGS, Setting

FARTHEST = 1e3  # SB3 wants bounds; tanh of this is 1


def vector_environment(copies: int) -> Any:
    """The robot's simulator as SB3's VecEnv: all copies in one call, actions squashed by tanh."""
    import gymnasium
    from stable_baselines3.common.vec_env import VecEnv

    from sport_ray.envs.simulator import PointReachAvoidSimulator

    class Robots(VecEnv):
        """Ends reset at once, as SB3 expects, and the last observation goes into the infos."""

        def __init__(self) -> None:
            self._simulator = PointReachAvoidSimulator(copies, **ENV_KWARGS)
            self._rngs = [np.random.default_rng(slot) for slot in range(copies)]
            self._slots = np.arange(copies)
            super().__init__(
                copies,
                gymnasium.spaces.Box(-np.inf, np.inf, (ACTOR[0],), np.float32),
                gymnasium.spaces.Box(-FARTHEST, FARTHEST, (2,), np.float32),
            )

        def reset(self) -> Any:
            return self._simulator.reset(self._slots, self._rngs)[0].astype(np.float32)

        def step_async(self, actions: Any) -> None:
            self._actions = np.tanh(actions.astype(np.float64))

        def step_wait(self) -> Any:
            step = self._simulator.step(self._slots, self._actions)
            seen = step.obs.astype(np.float32)
            over = step.terminated | step.truncated
            infos: list[dict[str, Any]] = [{} for _ in range(copies)]
            ended = np.flatnonzero(over)
            for slot in ended:
                infos[slot] = {
                    "terminal_observation": seen[slot].copy(),
                    "TimeLimit.truncated": bool(step.truncated[slot]),
                }
            if len(ended):
                begun = self._simulator.reset(ended, [self._rngs[slot] for slot in ended])[0]
                seen[ended] = begun
            return seen, step.reward.astype(np.float32), over, infos

        def close(self) -> None:
            """Nothing to close."""

        def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
            return [None] * copies

        def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
            raise AttributeError(attr_name)

        def env_method(self, method_name: str, *args: Any, **kwargs: Any) -> list[Any]:
            raise AttributeError(method_name)

        def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
            return [False] * copies

    return Robots()


class StableBaselines3:
    """One PPO, an iteration after another."""

    def __init__(self, setting: Setting, cells: int) -> None:
        import stable_baselines3
        import torch

        hidden = list(ACTOR[1:-1])
        self._batch = setting.train_batch_size
        self._ppo = stable_baselines3.PPO(
            "MlpPolicy",
            vector_environment(setting.num_envs),
            learning_rate=setting.lr,
            n_steps=setting.fragment,
            batch_size=setting.minibatch_size,
            n_epochs=setting.num_epochs,
            gamma=setting.gamma,
            gae_lambda=setting.gae_lambda,
            clip_range=setting.clip,
            ent_coef=0.0,
            vf_coef=setting.vf_loss_coeff,
            max_grad_norm=setting.grad_clip,
            policy_kwargs={
                "net_arch": {"pi": hidden, "vf": hidden},
                "activation_fn": torch.nn.ReLU,
            },
            seed=0,
            device="cpu",
        )
        self._advance()

    def measure(self, seconds: float) -> Measured:
        """Env steps."""
        return repeated(self._advance, seconds)

    def _advance(self) -> int:
        before = self._ppo.num_timesteps
        self._ppo.learn(self._batch, reset_num_timesteps=False, log_interval=None)
        return int(self._ppo.num_timesteps - before)
