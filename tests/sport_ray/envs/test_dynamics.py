"""The rigid body against the authors' simulator and the speeds measured in it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.envs import dynamics
from sport_ray.envs.simulator import PointReachAvoidSimulator


def pose_deviation(poses, reference):
    """Metres and radians, (..., 2)."""
    delta = poses - reference
    turn = np.abs((delta[..., 2] + np.pi) % (2 * np.pi) - np.pi)
    return np.stack([np.hypot(delta[..., 0], delta[..., 1]), turn], axis=-1)


def drive(action, steps):
    """Poses (steps + 1, 3) and forward speeds (steps,) from rest at the origin, heading 0.

    At heading 0 the sideways speed is exactly 0, so the servo has no rounding to amplify.
    """
    simulator = PointReachAvoidSimulator(1, horizon=1_000)
    simulator.set_state(0, pose=(0.0, 0.0, 0.0), goal=(90.0, 90.0), hazard=(90.0, -90.0))
    poses, speeds = [simulator.poses([0])[0]], []
    for _ in range(steps):
        result = simulator.step([0], [action])
        poses.append(simulator.poses([0])[0])
        speeds.append(result.obs[0, 3])
    return np.array(poses), np.array(speeds)


def test_constants_are_those_measured():
    mass, offset, inertia = dynamics.MASS, dynamics.MASS_OFFSET, dynamics.INERTIA
    assert mass == pytest.approx(0.00518879, abs=5e-9)
    assert offset / mass == pytest.approx(0.0192723, abs=5e-8)
    assert inertia == pytest.approx(2.8422e-5, abs=5e-10)
    about_centre = inertia - offset**2 / mass
    assert about_centre == pytest.approx(2.64946e-5, abs=5e-11)


def test_poses_equal_the_recordings_while_turning_is_saturated(recorded, saturated, replay):
    np.testing.assert_allclose(
        replay.poses[saturated], recorded["poses"][saturated], rtol=0, atol=1e-9
    )


# Where the servo is not saturated it is bang-bang, and a difference in the last bit grows: these
# are the authors' simulator's own limits (1-10 cm and 0.02-0.05 rad after 100 steps), not ours.
@pytest.mark.parametrize(
    ("steps", "metres", "radians"), [(1, 1e-4, 0.005), (5, 0.005, 0.02), (60, 0.12, 0.07)]
)
def test_poses_stay_near_the_other_recordings(recorded, saturated, replay, steps, metres, radians):
    deviation = pose_deviation(replay.poses, recorded["poses"])[~saturated, :steps]
    assert deviation[..., 0].max() < metres
    assert deviation[..., 1].max() < radians


@pytest.mark.parametrize("step", [20, 40, 60])
def test_distance_to_the_other_recordings_is_amplified_rounding(
    recorded, saturated, replay, nudged, step
):
    """Typically no further from the recording than from ourselves with actions moved by 1e-13."""
    recording = pose_deviation(replay.poses, recorded["poses"])[~saturated, step - 1]
    rounding = pose_deviation(replay.poses, nudged.poses)[~saturated, step - 1]
    assert (np.median(recording, axis=0) < 2.0 * np.median(rounding, axis=0)).all()


def test_saturated_turning_does_not_amplify_rounding(saturated, replay, nudged):
    assert pose_deviation(replay.poses, nudged.poses)[saturated].max() < 1e-11


def test_full_forward_from_rest_has_the_measured_speeds():
    poses, speeds = drive((1.0, 0.0), 60)
    np.testing.assert_allclose(
        speeds[:6], [0.479, 0.805, 1.027, 1.178, 1.281, 1.351], rtol=0, atol=5e-4
    )
    lengths = np.hypot(*np.diff(poses[:, :2], axis=0).T)
    np.testing.assert_allclose(lengths[:5], [0.051, 0.131, 0.185, 0.222, 0.247], atol=5e-4)
    assert speeds[-1] == pytest.approx(1.5, abs=1e-6)
    assert lengths[-1] == pytest.approx(0.3, abs=1e-6)
    np.testing.assert_array_equal(poses[:, 1:], 0.0)


@pytest.mark.parametrize("push", [-0.05, -0.01, 0.02, 0.05, 0.5])
def test_terminal_speed_is_thirty_times_the_push_up_to_its_limit(push):
    _, speeds = drive((push, 0.0), 100)
    assert speeds[-1] == pytest.approx(30.0 * min(push, 0.05), abs=1e-9)


@pytest.mark.parametrize("turn", [-1.0, 1.0])
def test_full_turning_has_the_measured_rates(turn):
    poses, _ = drive((0.0, turn), 5)
    turned = np.diff(np.unwrap(poses[:, 2]))
    np.testing.assert_allclose(turned, turn * np.array([0.584, 0.6, 0.6, 0.6, 0.6]), atol=5e-4)


def test_turning_left_and_right_are_mirror_images():
    left, _ = drive((0.7, 1.0), 20)
    right, _ = drive((0.7, -1.0), 20)
    assert pose_deviation(right, left * [1.0, -1.0, -1.0]).max() < 1e-12


def test_heading_stays_within_half_a_turn():
    poses, _ = drive((0.0, 1.0), 40)
    assert np.abs(poses[:, 2]).max() <= np.pi
    assert (np.diff(poses[:, 2]) < 0).sum() >= 3


def alone(row, action):
    """One robot's row after a control step, in Python's own arithmetic."""
    moving = (*row[:6], math.cos(row[2]), math.sin(row[2]))
    held = (dynamics.GEAR * min(max(action[0], -0.05), 0.05), action[1])
    for _ in range(dynamics.SUBSTEPS):
        moving = dynamics.substep.py_func(*moving, *held)
    return np.array(moving[:6])


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 40])
def test_a_robot_among_many_moves_as_alone_to_the_bit(count):
    """Vector instructions round as scalar ones do, and the compiler may not reorder."""
    rng = np.random.default_rng(count)
    state = rng.normal(size=(count + 3, 8)) * [1.0, 1.0, 0.5, 0.5, 0.5, 3.0, 1.0, 1.0]
    slots = rng.permutation(count + 3)[:count]
    actions = rng.uniform(-1.0, 1.0, (count, 2))
    expected = state.copy()
    for slot, action in zip(slots, actions, strict=True):
        expected[slot, :6] = alone(expected[slot].tolist(), action.tolist())
    dynamics.advance(state, slots, actions)
    assert np.abs(expected[:, 2]).max() < np.pi
    np.testing.assert_array_equal(state[:, :6], expected[:, :6])
