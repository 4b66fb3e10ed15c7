"""A ``TabularMdp`` as a gymnasium environment of indices, and the policies that are exact in it.

Observations are one-hot states, so a network without hidden layers is a table: the log weights in
state s are row s of its matrix (:func:`table_policy`), and what a frozen policy draws from in s are
these float32 numbers on the grid (:func:`laws_of`).
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.actions import ActionMapping
from tests.exact_mdp import GOAL, HAZARD, Array, TabularMdp, random_mdp

INDEXED = "sport_ray_tests/Indexed-v0"


class IndexedEnv(gymnasium.Env[NDArray[np.float64], Any]):
    """``random_mdp(seed, states, A)`` with A = Π sizes actions: Discrete, or MultiDiscrete.

    The joint action is numbered as ``numpy.ravel_multi_index`` does. Reward: 1 at the goal.
    """

    def __init__(
        self, horizon: int, seed: int = 0, states: int = 5, sizes: tuple[int, ...] = (3,),
        first: int = 0,
    ) -> None:  # fmt: skip
        self.horizon, self.sizes, self.first = horizon, tuple(sizes), first
        self.mdp = random_mdp(seed, states, math.prod(sizes))
        self._cumulative = self.mdp.step.cumsum(axis=2)
        self.observation_space = spaces.Box(0.0, 1.0, (states,), dtype=np.float64)
        self.action_space = (
            spaces.Discrete(sizes[0], start=first)
            if len(sizes) == 1
            else spaces.MultiDiscrete(list(sizes))
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        self.state = int(self.np_random.choice(len(self.mdp.start), p=self.mdp.start))
        self.steps = 0
        return self._see()

    def step(self, action: Any) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action), action
        given = np.atleast_1d(action) - self.first
        joint = int(np.ravel_multi_index(tuple(given), self.sizes))
        drawn = int((self.np_random.random() > self._cumulative[self.state, joint]).sum())
        self.state = min(drawn, len(self.mdp.start) - 1)
        self.steps += 1
        seen, info = self._see()
        reached = float(self.state == GOAL)
        return seen, reached, self.state <= HAZARD, self.steps >= self.horizon, info

    def _see(self) -> tuple[NDArray[np.float64], dict[str, Any]]:
        signals = {"goal": self.state == GOAL, "hazard": self.state == HAZARD}
        cost = float(self.state == HAZARD)
        return np.eye(len(self.mdp.start))[self.state], {"signals": signals, "cost": cost}


def register_indexed() -> None:
    """Make ``IndexedEnv`` known to gymnasium as ``INDEXED``, once."""
    if INDEXED not in gymnasium.registry:
        gymnasium.register(INDEXED, IndexedEnv, disable_env_checker=True)


def index_spec(
    states: int, sizes: tuple[int, ...], hidden: tuple[int, ...] = (), first: int = 0
) -> PolicySpec:
    """A categorical policy over one-hot states."""
    mapping = ActionMapping.of_indices([first] * len(sizes), sizes)
    return PolicySpec(
        observation_size=states, action_size=len(sizes), hidden=hidden, **mapping.to_json()
    )


def table_policy(log_weights: Array, sizes: tuple[int, ...], first: int = 0) -> PolicyNetwork:
    """The policy with these log weights (S, Σ n_i) in each state."""
    network = PolicyNetwork(index_spec(len(log_weights), sizes, first=first))
    layer = network.body[0]
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.asarray(log_weights).T.copy()))
        layer.bias.zero_()
    return network


def random_table(seed: int, states: int, sizes: tuple[int, ...], spread: float = 1.0) -> Array:
    """Normal log weights (S, Σ n_i)."""
    return spread * np.random.default_rng(seed).normal(size=(states, sum(sizes)))


def laws_of(network: PolicyNetwork, states: int) -> Any:
    """What a frozen policy draws from in each state: a batch of S laws."""
    return FrozenPolicy(network).distribution(np.eye(states))


def joint(law: Any) -> Array:
    """Probabilities of every joint action, (..., Π n_i), numbered as the environment does."""
    factors = [one.arrays()[0] for one in getattr(law, "factors", (law,))]
    found = factors[0]
    for one in factors[1:]:
        found = (found[..., :, None] * one[..., None, :]).reshape(*found.shape[:-1], -1)
    return found


def as_mdp(mdp: TabularMdp, base: PolicyNetwork) -> TabularMdp:
    """The same problem under that base policy."""
    return mdp._replace(base=joint(laws_of(base, len(mdp.start))))
