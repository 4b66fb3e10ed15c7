"""The signals that an environment declares, before it is made."""

from __future__ import annotations

import sys

import gymnasium
import pytest

from sport_ray.envs.declared import POINT_ROBOT_SIGNALS, declared_by, declared_signals
from sport_ray.envs.labelled import Labelled
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.tensors import PointRobot, register_tensor_environment

ID = "sport_ray_tests/Declared-v0"


class Silent(gymnasium.Env):
    def __init__(self):
        raise AssertionError("it must not be made")


class Declares(Silent):
    signal_names = ("near", "far")


def make_declared():
    raise AssertionError("it must not be called")


make_declared.signal_names = ["near"]


@pytest.fixture
def registered():
    yield lambda entry: gymnasium.register(ID, entry_point=entry)
    gymnasium.registry.pop(ID, None)


def test_the_point_robot_s_are_known_and_true():
    assert declared_signals("sport_ray/PointReachAvoid-v0") == POINT_ROBOT_SIGNALS
    assert PointReachAvoidSimulator.signal_names == POINT_ROBOT_SIGNALS


@pytest.mark.parametrize(
    ("entry", "known"),
    [
        (Declares, ("near", "far")),
        (f"{__name__}:Declares", ("near", "far")),
        (make_declared, ("near",)),
        (Silent, None),
        (f"{__name__}:nothing", None),
        ("sport_ray_tests_never_imported:Declares", None),
    ],
)
def test_a_class_or_function_tells_without_being_called(registered, entry, known):
    registered(entry)
    assert declared_signals(ID) == known
    assert declared_signals(f"{__name__}:{ID}") == known
    assert declared_signals(f"sport_ray_tests_never_imported:{ID}") is None
    assert "sport_ray_tests_never_imported" not in sys.modules


def test_nothing_is_known_of_what_is_not_registered():
    assert declared_signals("sport_ray_tests/Nobody-v0") is None


def test_tensors_tell_theirs():
    register_tensor_environment(ID, PointRobot)
    try:
        assert declared_signals(ID) == ("hazard", "goal")
        assert declared_by(gymnasium.make(ID, horizon=5)) == ("hazard", "goal")
    finally:
        gymnasium.registry.pop(ID)


def test_wrappers_are_looked_through_and_labels_added():
    class Told(gymnasium.Env):
        signal_names = ("near",)

    labelled = Labelled(Told(), {"slow": lambda seen: True}, from_info={"fuel": "fuel"})
    assert labelled.signal_names == ("fuel", "near", "slow")
    assert declared_by(gymnasium.Wrapper(labelled)) == ("fuel", "near", "slow")
    assert declared_by(gymnasium.Wrapper(gymnasium.Env())) is None
