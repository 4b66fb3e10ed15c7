"""The environment that owns the budget: whole at every start, charged exactly, strict."""

from __future__ import annotations

import math

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.projected_ppo.budget_environment import BudgetVectorEnv
from sport_ray.projected_ppo.budget_environment import charged as charge_of
from sport_ray.projected_ppo.environment import TrainingEnvironment

ENV = "sport_ray/PointReachAvoid-v0"


class Scripted(VectorEnv):
    """Two observations each, one action; ends by script: "t"erminated, "x" truncated, else on."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(self, scripts: list[str]) -> None:
        self.scripts, self.num_envs = scripts, len(scripts)
        self.single_observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), dtype=np.float64)
        self.single_action_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), dtype=np.float32)
        self.taken: list[np.ndarray] = []

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros((self.num_envs, 2)), {}

    def step(self, actions):
        assert actions.dtype == np.float32
        self.taken.append(actions)
        ends = [script[self.time] for script in self.scripts]
        self.time += 1
        terminated, truncated = (np.array([end == c for end in ends]) for c in "tx")
        return np.zeros((self.num_envs, 2)), np.zeros(self.num_envs), terminated, truncated, {}


def charged(env: BudgetVectorEnv, costs: list[float]) -> np.ndarray:
    """The features after a step of these costs."""
    actions = np.column_stack([np.full(len(costs), 0.3), costs])
    return env.step(actions)[0][:, 2:]


def test_every_episode_starts_whole_whatever_ended_the_last_one():
    constraint = PathwiseBudget(2.0, "all")
    env = BudgetVectorEnv(Scripted(["..t.....", ".x.x....", "........"]), constraint)
    whole = constraint.features(constraint.start(1))[0].tolist()
    assert env.reset()[0][:, 2:].tolist() == [whole] * 3
    left = np.array([2.0, 2.0, 2.0])
    over = np.zeros(3, dtype=bool)
    for step, ends in enumerate(zip("..t.....", ".x.x....", "........", strict=True)):
        costs = [0.25 - 0.5 * (step % 2), 0.125, 0.0625]
        # In a row that only resets, the charge belongs to no step and is nobody's.
        sent = [99.0 if dummy else cost for cost, dummy in zip(costs, over, strict=True)]
        features = charged(env, sent)
        left = np.where(over, 2.0, left - costs)
        np.testing.assert_allclose(features[:, 1], left, rtol=1e-6)
        over = np.array([end != "." for end in ends])


@given(st.floats(-1e3, 1e3))
def test_a_charge_is_above_the_cost_also_after_a_trip_through_float32(cost):
    for given_cost in (np.array([cost]), np.array([cost]).astype(np.float32)):
        charge = charge_of(given_cost)
        assert charge.dtype == np.float64
        if given_cost[0] != 0.0:
            assert cost < charge[0] <= cost + 2e-7 * abs(cost) + 1e-44
    assert charge_of(np.zeros(2)).tolist() == [0.0, 0.0]
    assert np.isnan(charge_of(np.array([np.nan]))).all()


@given(st.floats(1e-8, 1e6), st.sampled_from(["all", "spread"]))
def test_what_may_be_spent_can_be_charged(left, rule):
    """A cost as large as the limit, rounded up to float32, is still within what is left."""
    state = np.array([[left, 30.0]])
    for constraint in (PathwiseBudget(1.0, rule, (1.0,)), MeanShiftBudget(1.0, (1.0,))):
        limit = constraint.limits(state)
        cost = limit**2 if isinstance(constraint, MeanShiftBudget) else limit
        after = constraint.spend(state, charge_of(cost * (1.0 + 1e-14)))
        assert after[0, 0] >= 0.0


def test_spaces_count_the_features_and_actions_keep_theirs():
    constraint = MeanShiftBudget(1.0)
    env = BudgetVectorEnv(Scripted(["....", "...."]), constraint)
    assert env.single_observation_space.shape == (4,)
    assert env.observation_space.shape == (2, 4)
    assert env.single_action_space.shape == (1,)
    assert env.observation_space.contains(env.reset()[0])
    charged(env, [0.5, 0.0])
    assert np.array_equal(env.env.taken[0], np.full((2, 1), 0.3, dtype=np.float32))


@pytest.mark.parametrize("cost", [2.0001, math.nan, math.inf, -math.inf])
def test_overspending_stops_before_anything_is_stepped(cost):
    env = BudgetVectorEnv(Scripted(["....", "...."]), PathwiseBudget(2.0, "all"))
    env.reset()
    with pytest.raises(ArithmeticError, match="overspent its budget"):
        charged(env, [0.0, cost])
    assert env.env.taken == []


@pytest.mark.parametrize("shape", [(2, 1), (2, 3), (3, 2), (2,)])
def test_actions_without_their_cost_are_refused(shape):
    """The last entry of a plain action would be taken for what it cost."""
    env = BudgetVectorEnv(Scripted(["....", "...."]), PathwiseBudget(2.0))
    env.reset()
    with pytest.raises(ValueError, match=r"actions must have shape \(2, 2\), their cost last"):
        env.step(np.zeros(shape))


def test_a_reset_of_some_gives_only_them_a_whole_budget():
    env = BudgetVectorEnv(Scripted(["....", "...."]), PathwiseBudget(2.0, "all"))
    env.reset()
    charged(env, [1.0, 1.0])
    seen = env.reset(options={"reset_mask": np.array([True, False])})[0]
    assert seen[:, 3].tolist() == pytest.approx([2.0, 1.0], rel=1e-6)
    assert seen[1, 3] < 1.5
    assert env.reset(seed=3)[0][:, 3].tolist() == [2.0, 2.0]


def test_the_training_environment_puts_it_on_top():
    context = {
        "env_id": ENV,
        "kwargs": {"horizon": 5, "layout": "random"},
        "squash": "tanh",
        "num_envs": 3,
    }
    plain = TrainingEnvironment(context)
    record = PathwiseBudget(2.0).to_json()
    env = TrainingEnvironment(context | {"constraint": record})
    assert isinstance(env, BudgetVectorEnv)
    assert not isinstance(plain, BudgetVectorEnv)
    seen, wide = plain.reset(seed=4)[0], env.reset(seed=4)[0]
    assert np.array_equal(seen, wide[:, :-2])
    actions = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    got = env.step(np.column_stack([actions, np.zeros(3)]))
    want = plain.step(actions)
    assert np.array_equal(got[0][:, :-2], want[0])
    assert all(np.array_equal(a, b) for a, b in zip(got[1:4], want[1:4], strict=True))
