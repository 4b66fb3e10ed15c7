"""The 44 numbers against the authors' simulator, and the lidar against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sport_ray.envs.simulator import PointReachAvoidSimulator

GOAL_LIDAR, HAZARD_LIDAR = slice(12, 28), slice(28, 44)
LIDARS = slice(12, 44)
coordinates = st.floats(-3.0, 3.0)


def lidar(pose, centre):
    """The definition, in plain Python."""
    x, y, heading = pose
    dx, dy = centre[0] - x, centre[1] - y
    angle = (math.atan2(dy, dx) - heading) % math.tau
    index = min(int(angle / math.radians(22.5)), 15)
    fraction = angle / math.radians(22.5) - index
    z = math.exp(-0.5 * math.hypot(dx, dy))
    bins = np.zeros(16)
    bins[index] = z
    bins[(index + 1) % 16] = fraction * z
    bins[(index - 1) % 16] = (1 - fraction) * z
    return bins


def observe_at(pose, goal, hazard):
    simulator = PointReachAvoidSimulator(1)
    simulator.set_state(0, pose, goal, hazard)
    obs, signals = simulator.observe([0])
    return obs[0], signals[0]


def test_first_observations_equal_the_recordings(recorded, replay):
    np.testing.assert_allclose(replay.obs0, recorded["obs0"], rtol=0, atol=1e-12)


def test_observations_equal_the_recordings_while_turning_is_saturated(recorded, saturated, replay):
    np.testing.assert_allclose(replay.obs[saturated], recorded["obs"][saturated], rtol=0, atol=1e-9)


def test_other_observations_stay_near_the_recordings(recorded, saturated, replay):
    """The lidars and the forward speed; omega and a_left are the bang-bang servo's own noise."""
    delta = np.abs(replay.obs - recorded["obs"])[~saturated]
    assert delta[:, 0, LIDARS].max() < 0.01
    assert delta[:, :5, LIDARS].max() < 0.03
    for bins in (GOAL_LIDAR, HAZARD_LIDAR):  # exp(-distance / 2), whatever the bearing
        nearness = replay.obs[..., bins].max(axis=-1) - recorded["obs"][..., bins].max(axis=-1)
        assert np.abs(nearness)[~saturated].max() < 0.06
    assert delta[:, :, 3].max() < 0.01


def test_servo_noise_is_as_large_as_in_the_recordings(recorded, saturated, replay):
    """The spread of omega and a_left about the target rate, which the servo's chatter sets."""
    settled = (np.abs(recorded["actions"][..., 1]) < 0.5) & ~saturated[:, None]
    targets = recorded["actions"][settled][:, 1] / 0.3
    ours, theirs = replay.obs[settled], recorded["obs"][settled]
    assert (ours[:, 8] - targets).std() == pytest.approx((theirs[:, 8] - targets).std(), rel=0.15)
    assert ours[:, 1].std() == pytest.approx(theirs[:, 1].std(), rel=0.15)


@given(
    x=coordinates,
    y=coordinates,
    heading=st.floats(-math.pi, math.pi),
    goal=st.tuples(coordinates, coordinates),
    hazard=st.tuples(coordinates, coordinates),
)
def test_lidar_is_its_definition(x, y, heading, goal, hazard):
    assume(min(math.dist((x, y), goal), math.dist((x, y), hazard)) > 1e-3)  # else no bearing
    obs, signals = observe_at((x, y, heading), goal, hazard)
    np.testing.assert_allclose(obs[GOAL_LIDAR], lidar((x, y, heading), goal), atol=1e-9)
    np.testing.assert_allclose(obs[HAZARD_LIDAR], lidar((x, y, heading), hazard), atol=1e-9)
    assert signals[0] == pytest.approx(0.5 - math.dist((x, y), hazard), abs=1e-12)
    assert signals[1] == pytest.approx(0.3 - math.dist((x, y), goal), abs=1e-12)


@pytest.mark.parametrize("bearing", [-5e-324, -1e-300, -1e-17, 0.0, 1e-17])
def test_lidar_straight_ahead_splits_between_neighbours(bearing):
    """A bearing just below zero rounds to a full turn; it must not leave the last bin."""
    obs, _ = observe_at((0.0, 0.0, 0.0), (1.0, bearing), (1.0, 0.0))
    z = math.exp(-0.5)
    bins = obs[GOAL_LIDAR]
    assert bins[0] == pytest.approx(z)
    assert bins[15] == pytest.approx(z)
    assert bins.sum() == pytest.approx(2 * z)


def test_at_rest_only_gravity_the_field_and_the_lidars_show():
    obs, _ = observe_at((0.2, -0.5, 0.7), (0.0, 2.0), (0.0, 1.0))
    np.testing.assert_array_equal(obs[:9], [0, 0, 9.81, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(obs[9:12], [-0.5 * math.sin(0.7), -0.5 * math.cos(0.7), 0.0])
