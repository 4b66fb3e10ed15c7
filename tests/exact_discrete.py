"""A ``TabularMdp`` as a gymnasium environment of indices, and the policies that are exact in it.

Observations are one-hot states, so a network without hidden layers is a table: the log weights in
state s are row s of its matrix (:func:`table_policy`), and what a frozen policy draws from in s are
these float32 numbers on the grid (:func:`laws_of`).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.policies.actions import ActionMapping
from sport_ray.rollouts.behaviour import Behaviour
from tests.exact_mdp import GOAL, HAZARD, Array, TabularMdp, TrajectoryLaws, random_mdp

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
        # As gymnasium's own toys need it, which look an action up in a dict.
        assert len(self.sizes) > 1 or isinstance(action, int | np.integer), type(action)
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


class ExactLaw(NamedTuple):
    """What a policy does within T steps, by going through all that can happen.

    violation: its probability of a violation. visited: how many pairs (state, budget) there are at
    the last step. spent: the largest realised log ratio of any prefix, nats.
    """

    violation: float
    visited: int
    spent: float


def exact_law(
    behaviour: Behaviour, mdp: TabularMdp, horizon: int, seen: Array | None = None
) -> ExactLaw:
    """The policy as rollouts play it: steps, charges and budgets are the behaviour's own numbers.

    Pairs (state, budget) that are equal to the bit are one; the chance of each is exact up to
    float64. Of each, the largest realised log ratio that leads there is kept. seen: what is
    observed in each state, (S, O); by default one-hot states.
    """
    seen = np.eye(len(mdp.start)) if seen is None else seen
    mass: dict[tuple[int, bytes], float] = {}
    peaks: dict[tuple[int, bytes], float] = {}
    empty = behaviour.start(1)
    for state in np.flatnonzero(mdp.start).tolist():
        mass[state, empty[0].tobytes()] = float(mdp.start[state])
    peaks = dict.fromkeys(mass, 0.0)
    violated = sum(mass.pop((HAZARD, key), 0.0) for key in {b for _, b in mass})
    furthest, size = 0.0, empty.shape[1]
    for now in range(horizon):
        rows = [key for key in mass if key[0] != GOAL]
        if not rows:
            break
        states = np.array([state for state, _ in rows])
        left = np.array([np.frombuffer(b) for _, b in rows]).reshape(len(rows), size)
        step = behaviour.step(seen[states], left, None, np.full(len(rows), now))
        chances = joint(step.chosen)
        after: dict[tuple[int, bytes], float] = {}
        far: dict[tuple[int, bytes], float] = {}
        for number in range(chances.shape[1]):
            drawable = np.flatnonzero(chances[:, number] > 0.0)
            action = np.tile(_index(step.chosen, number), (len(drawable), 1))
            some = step.rows(drawable)
            budget = behaviour.spend(left[drawable], some, action)
            ratio = some.chosen.log_ratio(some.base, action)
            for row, key_left, moved in zip(drawable.tolist(), budget, ratio.tolist(), strict=True):
                chance = mass[rows[row]] * chances[row, number]
                peak = peaks[rows[row]] + moved
                furthest = max(furthest, peak)
                successors = mdp.step[states[row], number]
                for successor in np.flatnonzero(successors).tolist():
                    if successor == HAZARD:
                        violated += chance * successors[successor]
                    elif successor != GOAL:
                        key = successor, key_left.tobytes()
                        after[key] = after.get(key, 0.0) + chance * successors[successor]
                        far[key] = max(far.get(key, -math.inf), peak)
        mass, peaks = after, far
    violated += sum(chance for (state, _), chance in mass.items() if state != GOAL)
    return ExactLaw(violated, len(mass), furthest)


def _index(law: Any, number: int) -> Array:
    sizes = [one.arrays()[0].shape[-1] for one in getattr(law, "factors", (law,))]
    return np.array(np.unravel_index(number, sizes), dtype=np.float64)


def all_paths(behaviour: Behaviour, mdp: TabularMdp, horizon: int) -> TrajectoryLaws:
    """Every trajectory up to where the property is decided, a row each: nothing is merged.

    Their number grows as (S·A)^T.
    """
    start = np.flatnonzero(mdp.start)
    states, p = start, mdp.start[start]
    q, left = p.copy(), behaviour.start(len(start))
    sums, peaks = np.zeros(len(start)), np.zeros(len(start))
    over: list[tuple[Array, ...]] = []

    def settle(now: int, done: NDArray[np.bool_]) -> None:
        nonlocal states, p, q, left, sums, peaks
        times = np.full(int(done.sum()), now)
        over.append((p[done], q[done], states[done] != GOAL, times, peaks[done]))
        rest = ~done
        states, p, q, left = states[rest], p[rest], q[rest], left[rest]
        sums, peaks = sums[rest], peaks[rest]

    for now in range(horizon):
        settle(now, states <= HAZARD)
        step = behaviour.step(np.eye(len(mdp.start))[states], left, None, np.full(len(states), now))
        chosen, base = joint(step.chosen), joint(step.base)
        parts = []
        for number in range(chosen.shape[1]):
            action = np.tile(_index(step.chosen, number), (len(states), 1))
            ratio = step.chosen.log_ratio(step.base, action)
            there = np.flatnonzero(chosen[:, number] > 0.0)
            budget = left.copy()  # where the policy never goes nothing is spent
            budget[there] = behaviour.spend(left[there], step.rows(there), action[there])
            for successor in range(len(mdp.start)):
                chance = mdp.step[states, number, successor]
                rows = np.flatnonzero(chance * base[:, number] > 0.0)
                told = sums[rows] + ratio[rows]
                parts.append((
                    np.full(len(rows), successor), p[rows] * base[rows, number] * chance[rows],
                    q[rows] * chosen[rows, number] * chance[rows], budget[rows], told,
                    np.maximum(peaks[rows], told),
                ))  # fmt: skip
        states, p, q, left, sums, peaks = map(np.concatenate, zip(*parts, strict=True))
    settle(horizon, np.ones(len(states), dtype=bool))
    return TrajectoryLaws(*map(np.concatenate, zip(*over, strict=True)))
