"""Ids of tensor environments are gymnasium's, in every process that imports their module."""

from __future__ import annotations

import gymnasium
import pytest
import torch

from sport_ray.errors import UserError
from sport_ray.tensors import (
    PointRobot,
    make_tensor_environment,
    register_tensor_environment,
    tensor_factory,
)
from sport_ray.tensors.registry import SINGLE, is_tensor_environment
from tests.sport_ray.tensors.line import LINE, LINE_GYM, Line


def test_an_id_leads_to_its_factory():
    assert tensor_factory(LINE) is Line
    assert tensor_factory(f"tests.sport_ray.tensors.line:{LINE}") is Line
    assert tensor_factory("sport_ray/PointReachAvoid-v0") is PointRobot
    assert tensor_factory("Pendulum-v1") is None
    assert is_tensor_environment(LINE)
    assert not is_tensor_environment(LINE_GYM)
    assert not is_tensor_environment("sport_ray/PointReachAvoid-v0")


def test_the_last_registration_counts(recwarn):
    name = "sport_ray_tests/Anew-v0"
    register_tensor_environment(name, "sport_ray.tensors:PointRobot")
    assert tensor_factory(name) is PointRobot
    register_tensor_environment(name, "tests.sport_ray.tensors.line:Line")
    assert tensor_factory(name) is Line
    assert gymnasium.spec(name).entry_point == SINGLE
    assert gymnasium.make(name).observation_space.shape == (2,)
    assert not recwarn.list


def test_it_is_made_for_a_device_and_a_horizon():
    made = make_tensor_environment(LINE, {"drift": 0.5}, 7, 3)
    assert (made.num_slots, made.horizon, made.drift) == (3, 7, 0.5)
    assert made.device == torch.device("cpu")
    assert make_tensor_environment(LINE, {"device": "cpu"}, 7, 3).device.type == "cpu"


@pytest.mark.parametrize("factory", [3, "nothing", ":Line", "module:"])
def test_what_is_no_factory_is_refused(factory):
    with pytest.raises(UserError, match="expected a function or 'module:name'"):
        register_tensor_environment("sport_ray_tests/Never-v0", factory)


def test_what_cannot_be_made_is_one_line():
    with pytest.raises(UserError, match="'Pendulum-v1' cannot be made: it has no tensor form"):
        make_tensor_environment("Pendulum-v1", {}, 5, 2)
    register_tensor_environment("sport_ray_tests/Lost-v0", "sport_ray.tensors:Nobody")
    with pytest.raises(UserError, match=r"'sport_ray\.tensors:Nobody': sport_ray\.tensors has no"):
        make_tensor_environment("sport_ray_tests/Lost-v0", {}, 5, 2)
