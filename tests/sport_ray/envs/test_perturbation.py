"""The four noise parameters, and the density ratios between two worlds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.bounds import gaussian_max_ratio
from sport_ray.envs.perturbation import Perturbation, perturbation_ratios
from sport_ray.envs.point_reach_avoid import PointReachAvoidEnv
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.envs.vector import PointReachAvoidVectorEnv
from sport_ray.errors import UserError


def test_a_number_stands_for_all_coordinates():
    world = Perturbation(
        actuation_noise=0.2,
        actuation_bias=[0.1, -0.1],
        start_noise=np.float64(0.05),
        start_bias=(0, 0, 1),
    )
    assert world.actuation_noise == (0.2, 0.2)
    assert world.actuation_bias == (0.1, -0.1)
    assert world.start_noise == (0.05,) * 3
    assert world.start_bias == (0.0, 0.0, 1.0)
    assert Perturbation(actuation_noise=np.array([0.1, 0.2])).actuation_noise == (0.1, 0.2)


@pytest.mark.parametrize("name", ["actuation_noise", "actuation_bias", "start_noise", "start_bias"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 10.5, 10**400, True, "0.1", None, [0.1], {}])
@pytest.mark.parametrize(
    "make",
    [
        lambda kwargs: PointReachAvoidSimulator(2, **kwargs),
        lambda kwargs: PointReachAvoidEnv(**kwargs),
        lambda kwargs: PointReachAvoidVectorEnv(2, **kwargs),
        lambda kwargs: perturbation_ratios({}, kwargs),
    ],
)
def test_bad_values_are_the_users(make, name, value):
    with pytest.raises(UserError, match=f"^{name} is .*: expected a number from (-10|0) to 10, or"):
        make({name: value})


def test_messages():
    with pytest.raises(UserError) as caught:
        PointReachAvoidSimulator(1, actuation_noise=[0.1, -0.1])
    assert str(caught.value) == (
        "actuation_noise is [0.1, -0.1]: expected a number from 0 to 10, or 2 of them in a list"
    )
    with pytest.raises(UserError) as caught:
        PointReachAvoidSimulator(1, start_bias=(0.0, 11.0, 0.0))
    assert str(caught.value) == (
        "start_bias is (0.0, 11.0, 0.0): expected a number from -10 to 10, or 3 of them in a list"
    )


def test_the_ratios_are_those_of_the_noise_laws():
    base = {"layout": "fixed", "actuation_noise": 0.2, "start_noise": [0.1, 0.1, 0.3]}
    deployed = {
        "layout": "fixed",
        "actuation_noise": [0.19, 0.2],
        "actuation_bias": [0.01, 0.0],
        "start_noise": [0.08, 0.1, 0.2],
        "start_bias": [0.02, 0.0, -0.1],
    }
    ratios = perturbation_ratios(base, deployed)
    assert ratios.alpha_p == gaussian_max_ratio([0.01, 0], [0.19, 0.2], [0, 0], [0.2, 0.2])
    start = gaussian_max_ratio([0.02, 0, -0.1], [0.08, 0.1, 0.2], [0, 0, 0], [0.1, 0.1, 0.3])
    assert ratios.alpha_mu == start
    assert 1.0 < ratios.alpha_p < ratios.alpha_mu < math.inf
    assert perturbation_ratios(base, base) == (1.0, 1.0)
    assert perturbation_ratios(deployed, base) == (math.inf, math.inf)


def test_a_shift_without_noise_has_no_bound():
    assert perturbation_ratios({}, {"actuation_bias": 0.01}) == (1.0, math.inf)
    assert perturbation_ratios({}, {"start_noise": 0.01}) == (math.inf, 1.0)


@pytest.mark.parametrize(
    ("base", "deployed", "message"),
    [
        (
            {"layout": "fixed"},
            {"layout": "random"},
            "layout is 'random' at deployment and 'fixed' for the base: there is a bound only for "
            "changes of actuation_noise, actuation_bias, start_noise, start_bias; "
            "give both the same layout",
        ),
        ({"horizon": 50}, {}, "horizon is not given at deployment and 50 for the base: "),
        ({}, {"margin": 0.1}, "margin is 0.1 at deployment and not given for the base: "),
        ({"x": math.nan}, {"x": math.nan}, "x is nan at deployment and nan for the base: "),
    ],
)
def test_other_differences_have_no_bound(base, deployed, message):
    with pytest.raises(UserError) as caught:
        perturbation_ratios({**base, "actuation_noise": 0.2}, {**deployed, "actuation_noise": 0.1})
    assert str(caught.value).startswith(message)
