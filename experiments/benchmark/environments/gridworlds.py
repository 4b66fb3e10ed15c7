"""Two lakes to cross on foot: quickly between the holes, or safely around them.

``sport_ray_bench/FrozenLake-v0``, 8×8 under FrozenLake-v1's rules with a map of our own: on the
stock map every shortest way is as safe as can be, so that nothing is to be decided. And
``sport_ray_bench/ThinIce-v0``, 16×16: the further in over the ice, the shorter and the thinner.

Both are tensor environments, stepped together in scenarios and in training; their violation
probabilities are known exactly (``gridworld_tables``).
"""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np
import torch
from torch import Tensor

from sport_ray.experiments.benchmark.environments.gridworld_tables import Lake
from sport_ray.tensors import TensorStep, register_tensor_environment, uniforms

FROZEN_LAKE, THIN_ICE = "sport_ray_bench/FrozenLake-v0", "sport_ray_bench/ThinIce-v0"
STRAIT = (
    "FFFFFFFF",
    "FFFFFFFF",
    "FFHHHHFF",
    "SFFFFFFG",
    "FFHHHHFF",
    "FFFFFFFF",
    "FFFFFFFF",
    "FFFFFFFF",
)
"""Seven steps through the strait, thirteen around it."""
ROUND = (
    "FFFFFFFFFFFFFFFF",
    "FFFFFFFFFFFFFFFF",
    "FFFFFFFTTFFFFFFF",
    "FFFFFTTTTTTFFFFF",
    "FFFFTTTTTTTTFFFF",
    "FFFTTTTTTTTTTFFF",
    "FFFTTTTHHTTTTFFF",
    "SFTTTTHHHHTTTTFG",
    "FFTTTTHHHHTTTTFF",
    "FFFTTTTHHTTTTFFF",
    "FFFTTTTTTTTTTFFF",
    "FFFFTTTTTTTTFFFF",
    "FFFFFTTTTTTFFFFF",
    "FFFFFFFTTFFFFFFF",
    "FFFFFFFFFFFFFFFF",
    "FFFFFFFFFFFFFFFF",
)
"""Nineteen steps past the water, twenty-seven on thick ice."""


class Gridworld:
    """n walkers on a lake; see ``gridworld_tables`` for its rules, ``TensorEnvironment`` for ours.

    Seen is the cell, as a vector of zeros with one 1; in the water, zeros alone. Reward:
    ``progress`` for each step that the way to the goal is shorter by, 1 at the goal, and
    −``caution`` times the probability that the action ends in the water: in the mean what
    −``caution`` in the water would be, with less chance.

    rows: the map. success_rate, break_rate: probabilities. caution and anywhere (an episode starts
    in any cell that is no hole) are for training a base that shuns the water; the task has neither.
    """

    signal_names: tuple[str, ...] = ("hazard", "goal")
    cost_signal = "hazard"

    def __init__(
        self,
        num_slots: int,
        device: torch.device,
        horizon: int = 100,
        rows: Sequence[str] = STRAIT,
        success_rate: float = 0.95,
        break_rate: float = 0.0,
        progress: float = 0.1,
        caution: float = 0.0,
        anywhere: bool = False,
    ) -> None:
        self.lake = Lake.of(rows, success_rate, break_rate)
        self.num_slots, self.device, self.horizon = num_slots, device, horizon
        self.progress, self.caution = progress, caution
        self.observation_size = self.lake.water
        self.action_space: gymnasium.spaces.Discrete[np.int64] = gymnasium.spaces.Discrete(4)
        following, cumulative = successors(self.lake)
        self._following = torch.from_numpy(following).to(device)
        self._cumulative = torch.from_numpy(cumulative).to(device)
        self._risk = torch.from_numpy(self.lake.chances[:, :, self.lake.water]).to(device)
        self._distance = torch.from_numpy(self.lake.distance).to(device)
        self._seen = torch.eye(self.lake.water + 1, self.lake.water, device=device)
        starts = self.lake.undecided if anywhere else [self.lake.start]
        self._starts = torch.tensor(starts, device=device)
        self._states = torch.zeros(num_slots, dtype=torch.int64, device=device)
        self._steps = torch.zeros_like(self._states)
        self._seeds = torch.zeros_like(self._states)

    def _told(self) -> tuple[Tensor, Tensor]:
        water, goal = self._states == self.lake.water, self._states == self.lake.goal
        return self._seen[self._states], torch.stack([water, goal], dim=1)

    def reset(self, mask: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Back to the start, or to anywhere."""
        drawn = uniforms(seeds, 1, stream=1)[:, 0] * len(self._starts)
        self._states = torch.where(mask, self._starts[drawn.long()], self._states)
        self._steps = self._steps.masked_fill(mask, 0)
        self._seeds = torch.where(mask, seeds, self._seeds)
        return self._told()

    def step(self, actions: Tensor) -> TensorStep:
        """One step of every walker, by one number of its seed's stream."""
        before = self._states
        drawn = uniforms(self._seeds, 1, step=self._steps)
        branch = (drawn >= self._cumulative[before, actions]).sum(dim=1)
        self._states = self._following[before, actions, branch]
        self._steps = self._steps + 1
        seen, signals = self._told()
        water, goal = signals.unbind(dim=1)
        nearer = self._distance[before] - self._distance[self._states]
        paid = torch.where(water, 0.0, self.progress * nearer + goal)
        paid = paid - self.caution * self._risk[before, actions]
        over = water | goal
        return TensorStep(seen, signals, paid, over, ~over & (self._steps >= self.horizon))


def successors(lake: Lake) -> tuple[np.ndarray, np.ndarray]:
    """Next states (n + 1, 4, K), and what a uniform number must reach to go beyond each.

    Branches of no probability are left out; a last one takes whatever is left, rounding included.
    """
    possible = lake.chances > 0.0
    most = int(possible.sum(axis=2).max())
    order = np.argsort(~possible, axis=2, kind="stable")[:, :, :most]
    chances = np.take_along_axis(lake.chances, order, axis=2)
    cumulative = chances.cumsum(axis=2)
    last = possible.sum(axis=2, keepdims=True) - 1
    cumulative[np.arange(most)[None, None, :] >= last] = np.inf
    return order, cumulative


class FrozenLake(Gridworld):
    """The strait."""


class ThinIce(Gridworld):
    """The round lake; each step on thin ice breaks it with probability 0.02."""

    def __init__(
        self,
        num_slots: int,
        device: torch.device,
        horizon: int = 100,
        rows: Sequence[str] = ROUND,
        success_rate: float = 0.95,
        break_rate: float = 0.02,
        progress: float = 0.1,
        caution: float = 0.0,
        anywhere: bool = False,
    ) -> None:
        super().__init__(
            num_slots,
            device,
            horizon,
            rows,
            success_rate,
            break_rate,
            progress,
            caution,
            anywhere,
        )


for _id, _name in ((FROZEN_LAKE, "FrozenLake"), (THIN_ICE, "ThinIce")):
    register_tensor_environment(_id, f"{__name__}:{_name}")
