"""A small tensor environment with habits, and what gymnasium would call the same."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from torch import Tensor

from sport_ray.tensors import TensorStep, normals, register_tensor_environment, uniforms

LINE, LINE_GYM = "sport_ray_tests/TensorLine-v0", "sport_ray_tests/Line-v0"


class Line:
    """x += a/2 + noise on a line: the goal lies above 2, the hazard below −1.

    ``spoil`` names one thing that it then does wrong.
    """

    signal_names: tuple[str, ...] = ("hazard", "goal")
    observation_size = 2
    cost_signal = "hazard"

    def __init__(
        self,
        num_slots: int,
        device: torch.device,
        horizon: int = 15,
        drift: float = 0.2,
        spoil: str = "",
    ) -> None:
        self.num_slots, self.device, self.horizon = num_slots, torch.device(device), horizon
        self.drift, self.spoil = drift, spoil
        self.x = torch.zeros(num_slots, dtype=torch.float64, device=device)
        self.steps = torch.zeros(num_slots, dtype=torch.int64, device=device)
        self.seeds = torch.zeros(num_slots, dtype=torch.int64, device=device)
        self.buffer = torch.zeros(num_slots, 2, dtype=torch.float64, device=device)
        self.resets = 0
        self.closed = False
        if spoil == "num_slots":
            self.num_slots += 1
        if spoil == "signal_names":
            self.signal_names = ("goal", "goal")
        if spoil == "cost_signal":
            self.cost_signal = "fire"
        if spoil == "device":
            self.device = torch.device("meta")
        if spoil == "observation_size":
            self.observation_size = 0

    @property
    def action_space(self) -> gymnasium.spaces.Box:
        return gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)

    def _see(self) -> tuple[Tensor, Tensor]:
        seen = torch.stack([self.x, self.steps.double() / 10.0], dim=1)
        signals = torch.stack([-1.0 - self.x, self.x - 2.0], dim=1)
        late = int(self.steps.max()) == 2
        if self.spoil == "observation shape":
            seen = seen[:, :1]
        if self.spoil == "observation dtype":
            seen = seen.to(torch.float16)
        if self.spoil == "NaN signal" and late:
            signals[1, 0] = torch.nan
        if self.spoil == "infinite observation" and late:
            seen[2, 1] = torch.inf
        if self.spoil == "array signals":
            return seen, signals.numpy()
        if self.spoil == "buffer":
            self.buffer.copy_(seen)
            seen = self.buffer
        if self.spoil == "Booleans":
            signals = signals >= 0.0
        if self.spoil == "float32":
            return seen.float(), signals.float()
        return seen, signals

    def reset(self, mask: Tensor, seeds: Tensor) -> Any:
        self.resets += 1
        drawn = normals(seeds, 1)[:, 0] * 0.2
        if self.spoil == "global generator":
            drawn = torch.randn(self.num_slots, dtype=torch.float64) * 0.2
        if self.spoil == "remembers":
            drawn = drawn + 0.01 * (self.resets - 1)
        if self.spoil == "by slot":
            drawn = drawn + 0.01 * torch.arange(self.num_slots)
        if self.spoil == "by size":
            drawn = drawn + 0.01 * self.num_slots
        if self.spoil == "resets all":
            mask = torch.ones_like(mask)
        if self.spoil == "writes mask":
            mask.fill_(True)
        self.x = torch.where(mask, drawn, self.x)
        self.seeds = torch.where(mask, seeds, self.seeds)
        self.steps = torch.where(mask, torch.zeros_like(self.steps), self.steps)
        if self.spoil == "raises":
            raise RuntimeError("no such\nworld")
        started = self._see()
        return started[0] if self.spoil == "reset without signals" else started

    def step(self, actions: Tensor) -> Any:
        before = self.x - 2.0
        if self.spoil == "writes actions":
            actions.clamp_(-0.5, 0.5)
        push = actions[:, 0].double()
        if self.spoil == "mixes":
            push = push + 0.01 * push.mean()
        noise = uniforms(self.seeds, 1, stream=1, step=self.steps)[:, 0] - 0.5
        self.x = self.x + 0.5 * push + self.drift + noise
        self.steps = self.steps + 1
        seen, signals = self._see()
        x = self.x
        reward = x - 2.0 - before
        terminated = (x >= 2.0) | (x <= -1.0)
        truncated = (self.steps >= self.horizon) & ~terminated
        if self.spoil == "NaN reward":
            reward[0] = torch.nan
        if self.spoil == "integer ends":
            terminated = terminated.long()
        if self.spoil == "endless":
            terminated, truncated = terminated & False, truncated & False
        if self.spoil == "reward shape":
            reward = reward[:, None]
        if self.spoil == "four":
            return seen, signals, reward, terminated
        if self.spoil == "float32":
            reward = reward.float()
        return TensorStep(seen, signals, reward, terminated, truncated)

    def close(self) -> None:
        self.closed = True


class LineEnv(gymnasium.Env):
    """The same world as a gymnasium environment of its author's."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), dtype=np.float64)

    def __init__(self, horizon: int = 15, drift: float = 0.2) -> None:
        self.horizon, self.drift = horizon, drift
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), dtype=np.float32)

    def _see(self) -> tuple[np.ndarray, dict[str, Any]]:
        hazard = -1.0 - self.x
        told = {"signals": {"hazard": hazard, "goal": self.x - 2.0}, "cost": float(hazard >= 0.0)}
        return np.array([self.x, self.steps / 10.0]), told

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.seed = torch.tensor([seed])
        self.x, self.steps = float(normals(self.seed, 1)[0, 0] * 0.2), 0
        return self._see()

    def step(self, action: np.ndarray):
        noise = float(uniforms(self.seed, 1, stream=1, step=self.steps)[0, 0]) - 0.5
        before = self.x - 2.0
        self.x = self.x + 0.5 * float(action[0]) + self.drift + noise
        self.steps += 1
        over = self.x >= 2.0 or self.x <= -1.0
        seen, info = self._see()
        return seen, self.x - 2.0 - before, over, self.steps >= self.horizon and not over, info


def register() -> None:
    register_tensor_environment(LINE, Line)
    if LINE_GYM not in gymnasium.registry:
        gymnasium.register(LINE_GYM, LineEnv, disable_env_checker=True)
