"""Slots, events, rewards and ends."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.envs.layouts import FIXED_LAYOUT
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.errors import UserError

FORWARD = np.array([[1.0, 0.0]])


def at(simulator, pose=(0.0, 0.0, 0.0), goal=(9.0, 9.0), hazard=(9.0, -9.0)):
    simulator.set_state(0, pose, goal, hazard)
    return simulator


def generators(count, first=0):
    return [np.random.default_rng(first + i) for i in range(count)]


def test_rewards_costs_and_goals_equal_the_recordings(recorded, saturated, replay):
    np.testing.assert_allclose(
        replay.rewards[saturated], recorded["rewards"][saturated], rtol=0, atol=1e-9
    )
    inside = replay.signals >= 0.0
    np.testing.assert_array_equal(inside[saturated, :, 0], recorded["costs"][saturated] > 0)
    np.testing.assert_array_equal(inside[saturated, :, 1], recorded["goal_met"][saturated])


def test_rewards_costs_and_goals_follow_from_the_recorded_poses(recorded):
    """All 24 recordings: each step from the recorded poses, so no rounding is amplified."""
    poses, goals, hazards = recorded["poses"], recorded["goal"], recorded["hazard"]
    starts = np.concatenate([recorded["init"][:, None], poses[:, :-1]], axis=1)
    simulator = PointReachAvoidSimulator(1)
    for i in range(len(poses)):
        for t in range(poses.shape[1]):
            simulator.set_state(0, starts[i, t], goals[i], hazards[i])
            before = simulator.observe([0])[1][0, 1]
            simulator.set_state(0, poses[i, t])
            hazard, after = simulator.observe([0])[1][0]
            assert (hazard >= 0.0) == (recorded["costs"][i, t] > 0)
            assert (after >= 0.0) == recorded["goal_met"][i, t]
            reward = after - before + (after >= 0.0)
            assert reward == pytest.approx(recorded["rewards"][i, t], abs=1e-12)


def test_recordings_contain_both_events(recorded):
    assert recorded["costs"].sum() == 11
    assert recorded["goal_met"].sum() == 17


def test_results_do_not_depend_on_the_batch(recorded):
    """Bit for bit: all slots at once, in another order, or one at a time."""
    actions = np.random.default_rng(5).uniform(-1.2, 1.2, (40, 32, 2))
    slots = np.arange(32)
    together = PointReachAvoidSimulator(32, layout="random", horizon=20)
    shuffled = PointReachAvoidSimulator(40, layout="random", horizon=20)
    alone = PointReachAvoidSimulator(1, layout="random", horizon=20)
    order = np.random.default_rng(6).permutation(32)
    together.reset(slots, generators(32))
    shuffled.reset(order + 8, [generators(32)[i] for i in order])
    results = [together.step(slots, a) for a in actions]
    for a, expected in zip(actions, results, strict=True):
        for got, want in zip(shuffled.step(order + 8, a[order]), expected, strict=True):
            np.testing.assert_array_equal(got, want[order])
    for slot in (0, 17, 31):
        alone.reset([0], [generators(32)[slot]])
        for a, expected in zip(actions, results, strict=True):
            for got, want in zip(alone.step([0], a[[slot]]), expected, strict=True):
                np.testing.assert_array_equal(got[0], want[slot])


def test_untouched_slots_do_not_move():
    simulator = PointReachAvoidSimulator(3)
    simulator.reset(np.arange(3), generators(3))
    simulator.step([1], FORWARD)
    moved = (simulator.poses(np.arange(3)) != FIXED_LAYOUT.pose).any(axis=1)
    np.testing.assert_array_equal(moved, [False, True, False])


def test_actions_are_clipped():
    one, two = at(PointReachAvoidSimulator(1)), at(PointReachAvoidSimulator(1))
    for _ in range(5):
        np.testing.assert_array_equal(
            one.step([0], [[40.0, -7.0]]).obs, two.step([0], [[1.0, -1.0]]).obs
        )


def test_goal_ends_and_pays_the_step_and_one():
    simulator = at(PointReachAvoidSimulator(1), goal=(0.32, 0.0))
    result = simulator.step([0], FORWARD)
    assert result.terminated[0]
    assert not result.truncated[0]
    assert result.reward[0] == pytest.approx(1.0 + 0.051, abs=5e-4)


@pytest.mark.parametrize("end_on_violation", [True, False])
@pytest.mark.parametrize(("reward", "paid"), [("base", -0.25), ("task", 0.0)])
def test_violation(end_on_violation, reward, paid):
    simulator = PointReachAvoidSimulator(1, end_on_violation=end_on_violation, reward=reward)
    at(simulator, goal=(0.0, 500.0), hazard=(0.52, 0.0))
    for _ in range(2):
        result = simulator.step([0], FORWARD)
        assert result.signals[0, 0] > 0
        assert result.terminated[0] == end_on_violation
        assert result.reward[0] == pytest.approx(paid, abs=1e-4)


def test_violation_takes_precedence_over_the_goal_in_the_base_reward():
    simulator = at(PointReachAvoidSimulator(1, reward="base"), goal=(0.3, 0.0), hazard=(0.3, 0.1))
    result = simulator.step([0], FORWARD)
    assert (result.signals > 0).all()
    assert result.terminated[0]
    assert result.reward[0] == -0.25


def test_base_reward_at_the_goal_is_one():
    simulator = at(PointReachAvoidSimulator(1, reward="base"), goal=(0.45, 0.0))
    rewards = [simulator.step([0], FORWARD).reward[0] for _ in range(3)]
    assert rewards == [0.0, 1.0, 1.0]


def test_horizon_truncates_unless_the_step_terminates():
    simulator = at(PointReachAvoidSimulator(1, horizon=3), goal=(90.0, 0.0))
    ends = [simulator.step([0], 0.0 * FORWARD) for _ in range(3)]
    assert [bool(e.truncated[0]) for e in ends] == [False, False, True]
    assert not any(e.terminated[0] for e in ends)
    at(simulator, goal=(0.6, 0.0))
    ends = [simulator.step([0], FORWARD) for _ in range(3)]
    assert [bool(e.terminated[0]) for e in ends] == [False, False, True]
    assert not any(e.truncated[0] for e in ends)


def test_set_state_is_at_rest_and_keeps_what_is_not_given():
    simulator = PointReachAvoidSimulator(2)
    simulator.reset([0, 1], generators(2))
    simulator.step([0, 1], [[1.0, 1.0], [1.0, 1.0]])
    simulator.set_state(0, goal=(0.1, 0.2))
    assert simulator.goals.tolist() == [[0.1, 0.2], list(FIXED_LAYOUT.goal)]
    assert simulator.hazards[0].tolist() == list(FIXED_LAYOUT.hazard)
    obs, _ = simulator.observe([0, 1])
    assert obs[0, [0, 1, 3, 4, 8]].tolist() == [0.0] * 5
    assert obs[1, 3] > 0.1
    simulator.set_state(0, pose=(0.0, 0.0, 5.0))
    assert simulator.poses([0])[0, 2] == pytest.approx(5.0 - 2 * np.pi)


def test_returned_arrays_are_the_callers():
    simulator = at(PointReachAvoidSimulator(1))
    result = simulator.step([0], FORWARD)
    kept = [array.copy() for array in result]
    simulator.poses([0])[:] = 77.0
    simulator.step([0], FORWARD)
    for array, copy in zip(result, kept, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert simulator.poses([0])[0, 0] < 1.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_action_that_is_not_finite_names_the_slot_and_moves_nothing(bad):
    simulator = PointReachAvoidSimulator(6)
    simulator.reset(np.arange(6), generators(6))
    before = simulator.poses(np.arange(6))
    actions = np.zeros((2, 2))
    actions[1, 1] = bad
    with pytest.raises(ValueError, match=r"slot 4 got \[0\.0, (nan|inf|-inf)\]"):
        simulator.step([2, 4], actions)
    np.testing.assert_array_equal(simulator.poses(np.arange(6)), before)


@pytest.mark.parametrize("slots", [[2], [-1], [0, 2]])
def test_slots_out_of_range_are_refused(slots):
    with pytest.raises(ValueError, match="slots: expected 0 to 1"):
        PointReachAvoidSimulator(2).step(slots, np.zeros((len(slots), 2)))


def test_wrong_shapes_are_refused():
    simulator = PointReachAvoidSimulator(2)
    with pytest.raises(ValueError, match=r"actions: expected shape \(1, 2\), got \(2, 2\)"):
        simulator.step([0], np.zeros((2, 2)))
    with pytest.raises(ValueError, match="rngs: expected 2 generators, got 1"):
        simulator.reset([0, 1], generators(1))
    with pytest.raises(ValueError, match=r"slots: expected shape \(n,\), got \(\)"):
        simulator.poses(0)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"layout": "foo"}, "layout is 'foo': expected 'fixed' or 'random'"),
        ({"reward": "x"}, "reward is 'x': expected 'task' or 'base' or 'guided'"),
        ({"margin": -0.1}, "margin is -0.1: expected metres from 0 up to (not including) 10"),
        ({"margin": np.nan}, "margin is nan: expected metres from 0 up to (not including) 10"),
        ({"horizon": 0}, "horizon is 0: expected a whole number of at least 1"),
        ({"horizon": 2.5}, "horizon is 2.5: expected a whole number of at least 1"),
        ({"horizon": True}, "horizon is True: expected a whole number of at least 1"),
        ({"end_on_violation": "no"}, "end_on_violation is 'no': expected True or False"),
    ],
)
def test_bad_arguments_get_one_line(kwargs, message):
    with pytest.raises(UserError) as caught:
        PointReachAvoidSimulator(1, **kwargs)
    assert str(caught.value) == message


def test_number_of_slots_must_be_positive():
    with pytest.raises(UserError, match="num_slots is 0"):
        PointReachAvoidSimulator(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pose", (0.0, np.nan, 0.0)),
        ("pose", (0.0, 0.0)),
        ("goal", (np.inf, 0.0)),
        ("goal", 0.0),
        ("hazard", (0.0, 1e308)),
    ],
)
def test_bad_states_are_refused_and_change_nothing(name, value):
    simulator = PointReachAvoidSimulator(2)
    simulator.reset([0, 1], generators(2))
    before, _ = simulator.observe([0, 1])
    with pytest.raises(ValueError, match=f"{name}: expected . finite numbers"):
        simulator.set_state(1, **{name: value})
    np.testing.assert_array_equal(simulator.observe([0, 1])[0], before)


def test_guided_reward_is_the_base_reward_and_a_tenth_of_the_progress():
    rewards = {}
    for reward in ("base", "guided", "task"):
        simulator = at(PointReachAvoidSimulator(1, reward=reward), goal=(0.45, 0.0))
        rewards[reward] = np.array([simulator.step([0], FORWARD).reward[0] for _ in range(3)])
    reached = rewards["base"] == 1.0
    progress = rewards["task"] - reached
    assert np.allclose(rewards["guided"], rewards["base"] + 0.1 * progress, atol=1e-12)
    assert (progress[:2] > 0.0).all()


def test_margin_widens_the_hazard_for_rewards_and_ends_but_not_for_signals():
    results = []
    for margin in (0.0, 0.2):
        simulator = PointReachAvoidSimulator(1, reward="base", margin=margin)
        at(simulator, goal=(0.0, 500.0), hazard=(0.7, 0.0))
        results.append(simulator.step([0], FORWARD))
    free, wide = results
    assert not free.terminated[0]
    assert wide.terminated[0]
    assert (free.reward[0], wide.reward[0]) == (0.0, -0.25)
    assert np.array_equal(free.signals, wide.signals)
    assert free.signals[0, 0] < 0.0
