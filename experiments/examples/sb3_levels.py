"""A Stable-Baselines3 model as a base that is only sampled: PPO over discrete levels of action.

``sport-ray import-base`` takes diagonal Gaussians alone; as a sampler any model will do. Train it
(a minute on one core), then run the study:

    python -m sport_ray.experiments.examples.sb3_levels robot_ppo.zip
    sport-ray run any_base_sb3

Stable-Baselines3 unpickles what it loads: give it files of your own only.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env

import sport_ray  # noqa: F401  registers the robot

Array = NDArray[np.float64]

PUSH = np.array([0.0, 0.02, 0.05])
TURN = np.array([-1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0])
"""Levels of the robot's two actions; its motor saturates at a push of 0.05."""


class Levels(gymnasium.ActionWrapper[Any, Any, Any]):
    """The robot, driven by the numbers of a push and of a turn."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.action_space = gymnasium.spaces.MultiDiscrete([len(PUSH), len(TURN)])

    def action(self, action: Any) -> Array:
        """The two levels."""
        return np.array([PUSH[action[0]], TURN[action[1]]])


class PPOLevels:
    """The actions of a model that ``train`` saved; its randomness is the caller's generator."""

    def __init__(self, path: str) -> None:
        torch.set_num_threads(1)
        self.policy = PPO.load(path, device="cpu").policy

    def sample(self, observation: Array, count: int, generator: np.random.Generator) -> Array:
        """Actions (count, 2); not ``model.predict``, which draws from torch's own generator."""
        with torch.no_grad():
            seen = torch.from_numpy(observation[None].astype(np.float32))
            laws: Any = self.policy.get_distribution(seen).distribution  # one per entry
        drawn = []
        for law, levels in zip(laws, (PUSH, TURN), strict=True):
            upto = np.cumsum(law.probs[0].double().numpy())
            index = np.searchsorted(upto / upto[-1], generator.random(count), side="right")
            drawn.append(levels[index])
        return np.stack(drawn, axis=1)


def train(path: str, steps: int = 100_000) -> None:
    """PPO on the robot's base reward with a margin of 10 cm, which keeps it off the hazard."""
    torch.set_num_threads(1)
    world = {"layout": "fixed", "reward": "guided", "margin": 0.1, "horizon": 40}
    env = make_vec_env(
        "sport_ray/PointReachAvoid-v0", 16, seed=0, wrapper_class=Levels, env_kwargs=world
    )
    model = PPO(
        "MlpPolicy", env, n_steps=128, batch_size=512, learning_rate=1e-3, gamma=0.97,
        ent_coef=0.05, n_epochs=6, device="cpu", seed=0, verbose=1,
    )  # fmt: skip
    model.learn(total_timesteps=steps)
    model.save(path)


if __name__ == "__main__":
    train(sys.argv[1])
