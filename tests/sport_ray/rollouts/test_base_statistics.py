"""What is said of a base: against closed forms, brute force, and bases that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sport_ray import experiments
from sport_ray.families import Gaussian
from sport_ray.families.gaussian.squashed import squashed_entropy
from sport_ray.policies.actions import ActionMapping
from sport_ray.rollouts import ScenarioPlan, base_behaviour, run_scenarios
from sport_ray.rollouts.base_statistics import (
    Times,
    base_statistics,
    run_for_statistics,
    scaled_to_bounds,
)
from sport_ray.rollouts.environment import POINT_REACH_AVOID as ROBOT
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import read_base


def plan_for(horizon: int = 30) -> ScenarioPlan:
    return ScenarioPlan(
        env_id=ROBOT,
        env_kwargs={"layout": "fixed"},
        property="(!hazard) U goal",
        horizon=horizon,
        root_seed=0,
        purpose="statistics",
    )


@pytest.fixture(scope="module")
def bang_bang():
    return base_behaviour(
        read_base(Path(experiments.__file__).parent / "bases" / "paper_bang_bang")
    )


@pytest.fixture(scope="module")
def found(bang_bang):
    return run_for_statistics(plan_for(), bang_bang, 5, 200, [22, 30], has_goal=True)


@given(st.integers(0, 2**32), st.floats(-50, 50), st.floats(0.1, 50))
def test_bounds_are_moved_to_one(seed, low, width):
    actions = np.random.default_rng(seed).uniform(low, low + width, (20, 1))
    scaled = scaled_to_bounds(actions, np.array([low]), np.array([low + width]))
    assert (np.abs(scaled) <= 1.0 + 1e-9).all()
    np.testing.assert_allclose(low + width * (scaled + 1.0) / 2.0, actions, atol=1e-9)


def test_without_bounds_there_is_no_share(found):
    _, outcomes = found
    drawn = np.random.default_rng(0).normal(size=(50, 2))
    none = np.array([-1.0, -np.inf]), np.array([1.0, np.inf])
    mapping = ActionMapping("none")
    told = base_statistics(
        outcomes, [30], has_goal=False, drawn=drawn, std=None, mapping=mapping, bounds=none
    )
    assert told.at_bounds is told.at_any_bound is told.std is told.entropy is told.times is None
    assert told.warnings() == []


def test_clipped_actions_lie_at_their_bounds(found):
    """Half of N(0, 1/0.6745²) lies beyond ±1 and is clipped; in one of two dimensions: 3/4."""
    _, outcomes = found
    drawn = np.random.default_rng(0).normal(size=(100_000, 2)) / stats.norm.ppf(0.75)
    low, high = np.array([-2.0, 0.0]), np.array([2.0, 8.0])
    told = base_statistics(
        outcomes,
        [30],
        has_goal=True,
        drawn=low + (high - low) * (drawn + 1.0) / 2.0,
        std=np.ones_like(drawn),
        mapping=ActionMapping("clip", tuple(low), tuple(high)),
        bounds=(low, high),
    )
    share = 2 * stats.norm.sf(0.99 * stats.norm.ppf(0.75))
    np.testing.assert_allclose(told.at_bounds, share, atol=0.01)
    assert told.at_any_bound == pytest.approx(1 - (1 - share) ** 2, abs=0.01)
    assert told.entropy is None  # it has atoms


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60))
def test_no_reweighting_within_ten_is_faster_than_the_fastest_tenth(steps):
    """The best weights, each at most ten times the base's 1/n, fill up from the fastest."""
    times = np.sort(np.array(steps, dtype=float))
    room, best = 1.0, 0.0
    for one in times:
        weight = min(10.0 / len(times), room)
        best, room = best + weight * one, room - weight
    told = Times.of(times)
    assert told.fastest_tenth >= best - 1e-9
    if len(times) % 10 == 0:
        assert told.fastest_tenth == pytest.approx(best)


def test_a_run_says_what_its_steps_say(bang_bang, found):
    """The same numbers as from the transitions, and as from the policy's own distributions."""
    told, outcomes = found
    plan = plan_for()
    kept, again = collect_transitions(plan, bang_bang, 5, 200)
    for name, column in again.to_arrays().items():
        np.testing.assert_array_equal(column, getattr(outcomes, name))
    assert told.num_actions == len(kept)
    beyond = np.abs(np.tanh(kept.action)) > 0.99
    np.testing.assert_allclose(told.at_bounds, beyond.mean(axis=0))
    assert told.at_any_bound == pytest.approx(beyond.any(axis=1).mean())
    std = bang_bang.base.distribution(kept.observation.astype(float)).std.numpy()
    np.testing.assert_allclose(told.std.median, np.median(std, axis=0))
    np.testing.assert_allclose(told.std.largest, std.max(axis=0))
    drawn = torch.from_numpy(kept.action)
    law = Gaussian(torch.zeros_like(drawn), torch.from_numpy(std))
    assert told.entropy == pytest.approx(squashed_entropy(law, drawn).mean().item())
    assert told.num_violations == {str(T): outcomes.num_violations(T) for T in (22, 30)}
    reached = outcomes.satisfied_at[outcomes.satisfied_by(30)]
    assert told.times.spread.mean == pytest.approx(reached.mean())


def test_a_bang_bang_base_is_told(found):
    told, _ = found
    assert min(told.at_bounds) > 0.5
    assert any("nearly bang-bang" in line for line in told.warnings())


def test_a_base_whose_episodes_are_alike_is_told(found):
    told, outcomes = found
    alike = outcomes.rows(outcomes.satisfied_at == 13)
    drawn = np.zeros((10, 2))
    told = base_statistics(
        alike,
        [30],
        has_goal=True,
        drawn=drawn,
        std=None,
        mapping=ActionMapping("tanh"),
        bounds=(np.full(2, -1.0), np.full(2, 1.0)),
    )
    assert told.warnings() == [
        "its fastest tenth of scenarios saves 0 of 13 steps: its episodes are nearly all alike"
    ]


def test_only_whole_scenarios_are_looked_at_where_there_is_no_room(bang_bang, monkeypatch):
    monkeypatch.setattr("sport_ray.rollouts.base_statistics.MOST_NUMBERS", 30 * 2 * 7)
    told, outcomes = run_for_statistics(plan_for(), bang_bang, 5, 40, [30], has_goal=True)
    assert told.num_scenarios == 40
    assert told.num_actions == run_scenarios(plan_for(), bang_bang, 5, 7).length.sum()
    assert outcomes.num_scenarios == 40
