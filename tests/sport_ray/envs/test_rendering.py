"""The picture: size, and that what it shows is where it should be."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.envs.layouts import FIXED_LAYOUT
from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.rendering import PIXELS_PER_METRE, X_RANGE, Y_RANGE, draw_picture


def pixel(image, x, y):
    """The colour at (x, y) in metres, as floats."""
    column = int((x - X_RANGE[0]) * PIXELS_PER_METRE)
    row = int((Y_RANGE[1] - y) * PIXELS_PER_METRE)
    return image[row, column].astype(float)


@pytest.fixture(scope="module")
def image():
    trail = np.array([(0.0, -0.5, 0.0), (0.3, -0.5, 0.0), (0.6, -0.5, np.pi / 2)])
    return draw_picture(trail, np.array(FIXED_LAYOUT.goal), np.array(FIXED_LAYOUT.hazard))


def test_environment_renders_an_image_of_fixed_size():
    env = PointReachAvoidEnv(layout="random", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    for _ in range(30):
        env.step(np.array([1.0, 0.3]))
    last = env.render()
    assert first.shape == last.shape == (512, 448, 3)
    assert first.dtype == np.uint8
    assert (first != last).any()


def test_no_render_mode_renders_nothing():
    env = PointReachAvoidEnv()
    env.reset()
    assert env.render() is None


def test_goal_is_green_and_hazard_is_red(image):
    gx, gy = FIXED_LAYOUT.goal
    hx, hy = FIXED_LAYOUT.hazard
    for dx, dy in [(0.2, 0.0), (0.0, -0.2), (-0.2, 0.1)]:
        red, green, blue = pixel(image, gx + dx, gy + dy)
        assert green > red
        assert green > blue
        red, green, blue = pixel(image, hx + dx * 2, hy + dy * 2)
        assert red > green + 20
        assert red > blue + 20
    outside = pixel(image, hx + 0.53, hy)
    assert outside.min() > 220


def test_robot_trail_and_heading_show(image):
    red, green, blue = pixel(image, 0.6, -0.55)
    assert blue > red + 40
    assert blue > green + 20
    assert red < 80
    red, green, blue = pixel(image, 0.6, -0.38)
    assert red > blue + 100  # the nose points along the heading, up
    assert pixel(image, 0.72, -0.5).min() > 220
    red, _, blue = pixel(image, 0.4, -0.5)
    assert blue > red + 40  # the way


def test_window_moves_with_a_robot_that_leaves_it():
    away = np.array([(0.0, 0.0, 0.0), (9.0, -7.0, 0.0)])
    image = draw_picture(away, np.array(FIXED_LAYOUT.goal), np.array(FIXED_LAYOUT.hazard))
    assert image.shape == (512, 448, 3)
    dark_blue = (image[..., 2] > image[..., 0] + 40.0) & (image[..., 0] < 60)
    assert dark_blue.sum() > 300
