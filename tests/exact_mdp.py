"""Small problems whose violation probabilities, and whose worst events, are known exactly.

``TabularMdp`` by dynamic programming; ``trajectory_laws`` by enumeration, for policies that may
depend on the whole history; ``selection_laws`` the same for a choice among candidates from the
base; ``worst_event`` is Neyman and Pearson's: among events with
P(E) ≤ ε the one that is most probable under Q. ``shrink_worst`` and ``shift_worst`` are the same
for products of Gaussians, in closed form. ``TabularEnv`` is a TabularMdp of two actions as a
gymnasium environment for Gaussian policies: the sign of the action decides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import chi2

Array = NDArray[np.float64]
GOAL, HAZARD = 0, 1
REACH_AVOID = "(!hazard) U goal"
TABULAR = "sport_ray_tests/Tabular-v0"


class TabularMdp(NamedTuple):
    """States 0 (goal) and 1 (hazard) absorb; the rest move by ``step``."""

    start: Array  # (S,)
    step: Array  # (S, A, S)
    base: Array  # (S, A), the base policy

    def violation(self, policy: Array, horizon: int) -> float:
        """P(the goal is not reached within ``horizon`` steps, or the hazard is first).

        ``policy`` is (S, A) or, if it depends on time, (T, S, A).
        """
        policy = np.broadcast_to(policy, (horizon, *self.base.shape))
        value = (np.arange(len(self.start)) != GOAL).astype(float)
        for now in reversed(range(horizon)):
            value = _absorb(np.einsum("sa,saz,z->s", policy[now], self.step, value))
        return float(self.start @ value)

    def worst_violation(self, alpha: float, horizon: int) -> float:
        """The largest violation probability among policies with π ≤ α π_base at every step."""
        value = (np.arange(len(self.start)) != GOAL).astype(float)
        for _ in range(horizon):
            outcomes = self.step @ value  # (S, A)
            value = _absorb(
                np.array(
                    [
                        worst_event(base, outcome * base, 1.0 / alpha) * alpha
                        for base, outcome in zip(self.base, outcomes, strict=True)
                    ]
                )
            )
        return float(self.start @ value)

    def violation_times(self, policy: Array, horizon: int) -> Array:
        """q_t, (T + 1,): P(the property is first decided against after exactly t actions).

        The hazard decides when it is entered, running out of time after T actions.
        """
        policy = np.broadcast_to(policy, (horizon, *self.base.shape))
        law, times = self.start.copy(), np.zeros(horizon + 1)
        times[0], law[HAZARD], law[GOAL] = law[HAZARD], 0.0, 0.0
        for now in range(horizon):
            law = np.einsum("s,sa,saz->z", law, policy[now], self.step)
            times[now + 1], law[HAZARD], law[GOAL] = law[HAZARD], 0.0, 0.0
        times[horizon] += law.sum()
        return times


def random_mdp(seed: int, states: int = 5, actions: int = 3) -> TabularMdp:
    """A random problem; no start in the goal or the hazard."""
    rng = np.random.default_rng(seed)
    start = np.zeros(states)
    start[2:] = rng.dirichlet(np.ones(states - 2))
    step = rng.dirichlet(np.full(states, 0.4), (states, actions))
    return TabularMdp(start, step, rng.dirichlet(np.ones(actions), states))


def random_task(mdp: TabularMdp, alpha: float, horizon: int, seed: int) -> Array:
    """A random time-dependent policy (T, S, A) with π ≤ α π_base everywhere."""
    rng = np.random.default_rng([seed, 1])
    other = rng.dirichlet(np.full(mdp.base.shape[1], 0.3), (horizon, len(mdp.base)))
    return keep_ratio(mdp.base, other, alpha)


def keep_ratio(base: Array, other: Array, alpha: float | Array) -> Array:
    """``other`` mixed with ``base`` just so far that no ratio exceeds alpha; (..., A)."""
    largest = (other / base).max(axis=-1, keepdims=True)
    weight = np.minimum(1.0, (alpha - 1.0) / np.maximum(largest - 1.0, 1e-300))
    return (1.0 - weight) * base + weight * other


class TrajectoryLaws(NamedTuple):
    """All trajectories with positive probability under the base policy, one row each."""

    p: Array  # under the base
    q: Array  # under the task policy
    violated: NDArray[np.bool_]
    time: NDArray[np.int64]  # actions until the property is decided
    peak: Array  # largest log ratio of any prefix, nats, at least 0

    @property
    def log_ratio(self) -> Array:
        """Log q/p, nats; −inf where the task policy never goes."""
        with np.errstate(divide="ignore"):
            return np.log(self.q / self.p)


Rule = Callable[[int, int, float], Array]
"""The task policy: (time, state, log ratio so far) → probabilities of the actions, (A,)."""


def trajectory_laws(mdp: TabularMdp, rule: Rule, horizon: int) -> TrajectoryLaws:
    """Enumerate (s_0, a_0, s_1, …), each up to where the property is decided."""
    rows: list[tuple[float, float, bool, int, float]] = []

    def walk(state: int, now: int, p: float, q: float, spent: float, peak: float) -> None:
        if state in (GOAL, HAZARD) or now == horizon:
            rows.append((p, q, state != GOAL, now, peak))
            return
        task = rule(now, state, spent)
        for action, (b, t) in enumerate(zip(mdp.base[state], task, strict=True)):
            log_ratio = math.log(t / b) if t > 0.0 else -math.inf
            after = spent + log_ratio
            for successor, chance in enumerate(mdp.step[state, action]):
                if chance * b > 0.0:
                    walk(
                        successor, now + 1, p * b * chance, q * t * chance, after, max(peak, after)
                    )

    for state, chance in enumerate(mdp.start):
        if chance > 0.0:
            walk(state, 0, chance, chance, 0.0, 0.0)
    p, q, violated, time, peak = zip(*rows, strict=True)
    return TrajectoryLaws(
        np.array(p), np.array(q), np.array(violated), np.array(time), np.array(peak)
    )


Drawn = tuple[tuple[int, tuple[int, ...], int], ...]
"""What was drawn so far: (state, candidates, index) of each step."""
Choice = Callable[[Drawn, int, tuple[int, ...], float], Array]
"""(drawn so far, state, candidates, log ratio so far) → probabilities of the indices, (M,)."""


class SelectionLaws(NamedTuple):
    """The same choice among candidates, seen twice: the base's index is uniform."""

    drawn: TrajectoryLaws  # candidates, indices and states, a row each
    executed: TrajectoryLaws  # states and the actions that were taken


def selection_laws(mdp: TabularMdp, choice: Choice, horizon: int, count: int) -> SelectionLaws:
    """Enumerate ``count`` candidates from the base at each step, the index, and the successor."""
    rows: list[tuple[float, float, bool, int, float]] = []
    paths: list[tuple[int, ...]] = []
    prefixes: dict[tuple[int, ...], list[float]] = {}
    actions = mdp.base.shape[1]

    def walk(
        drawn: Drawn, path: tuple[int, ...], p: float, q: float, spent: float, peak: float
    ) -> None:
        state, now = path[-1], len(drawn)
        seen = prefixes.setdefault(path, [0.0, 0.0])
        seen[0] += p
        seen[1] += q
        if state in (GOAL, HAZARD) or now == horizon:
            rows.append((p, q, state != GOAL, now, peak))
            paths.append(path)
            return
        for candidates in itertools.product(range(actions), repeat=count):
            chance = math.prod(mdp.base[state, a] for a in candidates)
            for index, wanted in enumerate(choice(drawn, state, candidates, spent)):
                after = spent + (math.log(count * wanted) if wanted > 0.0 else -math.inf)
                step = mdp.step[state, candidates[index]]
                for successor in np.flatnonzero(step).tolist():
                    walk(
                        (*drawn, (state, candidates, index)),
                        (*path, candidates[index], successor),
                        p * chance / count * step[successor],
                        q * chance * wanted * step[successor],
                        after,
                        max(peak, after),
                    )

    for state in np.flatnonzero(mdp.start).tolist():
        walk((), (state,), mdp.start[state], mdp.start[state], 0.0, 0.0)
    table = [np.array(column) for column in zip(*rows, strict=True)]
    whole = dict(zip(paths, rows, strict=True))  # of equal paths any: verdict and time are theirs
    sums = np.array([prefixes[path] for path in whole])
    peaks = [_peak([prefixes[path[:n]] for n in range(1, len(path) + 1, 2)]) for path in whole]
    verdicts = [np.array([row[column] for row in whole.values()]) for column in (2, 3)]
    executed = TrajectoryLaws(sums[:, 0], sums[:, 1], *verdicts, np.array(peaks))
    return SelectionLaws(TrajectoryLaws(*table), executed)


def _peak(prefixes: list[list[float]]) -> float:
    return max(math.log(q / p) if q > 0.0 else -math.inf for p, q in prefixes)


def keep_within(weights: Array, floor: float, alpha: float) -> Array:
    """Uniform mixed with ``weights`` (M,) as far as all ratios to it stay in [floor, alpha]."""
    ratio = weights / weights.sum() * len(weights)
    share = 1.0
    for limit, extreme in ((alpha, ratio.max()), (floor, ratio.min())):
        if abs(extreme - 1.0) > abs(limit - 1.0):
            share = min(share, (limit - 1.0) / (extreme - 1.0))
    return (1.0 + share * (ratio - 1.0)) / len(weights)


def worst_event(p: Array, q: Array, eps: float) -> float:
    """Max Q(E) over randomised events with P(E) ≤ eps: take the largest q/p first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(-np.where(p > 0.0, q / p, np.where(q > 0.0, np.inf, 0.0)))
    p, q = p[order], q[order]
    before = np.concatenate([[0.0], np.cumsum(p)[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(p > 0.0, np.clip((eps - before) / p, 0.0, 1.0), 1.0)
    return float(share @ q)


def shrink_worst(eps: float, alpha: float, count: int) -> float:
    """The same for P = N(0, 1)^count and Q = N(0, 1/α²)^count, whose ratio is at most α^count.

    log q/p = count · log α − (α² − 1)|x|²/2 falls in |x|², so the worst event is a ball.
    """
    return float(chi2.cdf(alpha**2 * chi2.ppf(eps, count), count))


def shift_worst(eps: float, mu: float) -> float:
    """The same for P = N(0, 1) and Q = N(μ, 1): a half line. In more dimensions, μ is a length."""
    return float(ndtr(ndtri(eps) + mu))


def sign_policy(mean: Array, std: Array) -> Array:
    """What a Gaussian action does in a TabularEnv: (S,), (S,) → (S, 2), P(a ≤ 0) and P(a > 0)."""
    return np.stack([ndtr(-mean / std), ndtr(mean / std)], axis=-1)


def late_hazard(slow: float = 0.5, wait: int = 8) -> TabularMdp:
    """Violations take long: from the start to the goal in one step, or down a corridor into it.

    Action 1 takes the corridor of ``wait`` states, at whose end is the hazard; the base policy
    chooses it with probability ``slow``. So P(violation) = slow for every horizon.
    """
    states = 3 + wait
    step = np.zeros((states, 2, states))
    step[:2] = np.eye(states)[:2, None]
    step[2, 0, GOAL], step[2, 1, 3] = 1.0, 1.0
    for place in range(3, states):
        step[place, :, place + 1 if place + 1 < states else HAZARD] = 1.0
    return TabularMdp(np.eye(states)[2], step, np.tile([1.0 - slow, slow], (states, 1)))


def first_to_finish(
    mdp: TabularMdp, horizon: int, slots: int, wanted: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Verdicts (wanted,) of the first episodes to *finish* in parallel slots: a biased sample."""
    verdicts: list[bool] = []
    cumulative = np.einsum("sa,saz->sz", mdp.base, mdp.step).cumsum(axis=1)
    states = rng.choice(len(mdp.start), slots, p=mdp.start)
    age = np.zeros(slots, dtype=np.int64)
    while len(verdicts) < wanted:
        drawn = rng.random(slots)[:, None] > cumulative[states]
        states = np.minimum(drawn.sum(axis=1), len(mdp.start) - 1)
        age += 1
        for slot in np.flatnonzero((states <= HAZARD) | (age == horizon)):
            verdicts.append(bool(states[slot] != GOAL))
            states[slot], age[slot] = rng.choice(len(mdp.start), p=mdp.start), 0
    return np.array(verdicts[:wanted])


class TabularEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float32]]):
    """``late_hazard(slow, wait)``, or ``random_mdp(seed, states, 2)``: a > 0 is action 1.

    Observations are one-hot states; with an actor whose Gaussian in state s is (mean_s, std_s),
    squashed by tanh or not, P(violation) is ``mdp.violation(sign_policy(mean, std), horizon)``.
    The policy is the actor's: ``slow`` and ``mdp.base`` do not matter here.
    """

    action_space = spaces.Box(-np.inf, np.inf, (1,), dtype=np.float32)

    def __init__(
        self, horizon: int, seed: int | None = None, states: int = 5, wait: int = 8
    ) -> None:
        self.horizon = horizon
        self.mdp = late_hazard(wait=wait) if seed is None else random_mdp(seed, states, 2)
        self._cumulative = self.mdp.step.cumsum(axis=2)
        size = len(self.mdp.start)
        self.observation_space = spaces.Box(0.0, 1.0, (size,), dtype=np.float64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        super().reset(seed=seed)
        self.state = int(self.np_random.choice(len(self.mdp.start), p=self.mdp.start))
        self.steps = 0
        return self._see()

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        rows = self._cumulative[self.state, int(action[0] > 0.0)]
        drawn = int((self.np_random.random() > rows).sum())
        self.state = min(drawn, len(rows) - 1)
        self.steps += 1
        seen, info = self._see()
        return seen, 0.0, self.state <= HAZARD, self.steps >= self.horizon, info

    def _see(self) -> tuple[NDArray[np.float64], dict[str, Any]]:
        signals = {
            "goal": 1.0 if self.state == GOAL else -1.0,
            "hazard": 1.0 if self.state == HAZARD else -1.0,
        }
        return np.eye(len(self.mdp.start))[self.state], {"signals": signals}


def register_tabular() -> None:
    """Make ``TabularEnv`` known to gymnasium as ``TABULAR``, once."""
    if TABULAR not in gymnasium.registry:
        gymnasium.register(TABULAR, TabularEnv, disable_env_checker=True)


def _absorb(value: Array) -> Array:
    value[GOAL], value[HAZARD] = 0.0, 1.0
    return value
