"""Whatever an author's habit: the right value, or one line that names environment and step."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from sport_ray.envs.faults import EnvironmentFault
from sport_ray.envs.making import made_with, make_copies, make_environment
from sport_ray.envs.stepping import Stepping
from sport_ray.errors import UserError
from tests.sport_ray.envs.habits import HABITS, LATE, Habits, register

register()
ACTION = np.array([0.3])


def made(habit: str) -> Stepping:
    """The cart with a habit."""
    return make_environment(HABITS, {"habit": habit}, 10)


def walked(habit: str) -> list:
    """What five steps of it give."""
    environment = made(habit)
    environment.reset(seed=4)
    return [environment.step(ACTION) for _ in range(5)]


@pytest.mark.parametrize(
    ("habit", "message"),
    [
        ("raises", "RuntimeError: solver did not converge"),
        ("short", r"observation has shape \(1,\), its observation_space \(2,\)"),
        ("column", r"observation has shape \(2, 1\)"),
        ("text", "observation is a list of 2 .*expected numbers"),
        ("ragged", "observation is a list of 2: expected an array"),
        ("NaN observation", "observation is nan at entry 1: it must be finite in float32"),
        ("huge observation", "observation is inf at entry 0: it must be finite in float32"),
        ("no observation", "observation is None"),
        ("NaN reward", "reward is nan: rewards must be finite"),
        ("infinite reward", "reward is -inf: rewards must be finite"),
        ("two rewards", r"reward has shape \(2,\)"),
        ("no reward", "reward is None: expected a number"),
        ("no end", "terminated is None: expected True or False"),
        ("two signals", r"signal 'goal' has shape \(2,\)"),
        ("text signal", "signal 'goal' is 'far': expected a number"),
        ("no signal", "signal 'goal' is None"),
        ("mixed", "signal 'goal' is a number in one state and True in another"),
        ("list", r'info\["signals"\] is a list'),
        ("masked", "observation has masked entries"),
        ("masked signal", "signal 'goal' is masked"),
        ("number for a name", "has the key 3: a proposition's name is text"),
        ("panics", "Panic: index out of range"),
        ("no text", "Silent$"),
        ("no info", r"step\(\) returned a tuple of 5: expected observation"),
    ],
)
def test_what_goes_wrong_late_is_told_with_its_step(habit, message):
    where = f"^environment '{HABITS}', episode 1, step {LATE}: "
    with pytest.raises(EnvironmentFault, match=where + ".*" + message) as caught:
        walked(habit)
    assert "\n" not in str(caught.value)


def test_the_cause_is_kept():
    with pytest.raises(EnvironmentFault) as caught:
        walked("raises")
    assert isinstance(caught.value.__cause__, RuntimeError)
    with pytest.raises(EnvironmentFault, match="at reset: ConnectionError: simulator is gone"):
        made("reset raises").reset()
    with pytest.raises(EnvironmentFault, match=r"at reset: reset\(\) returned an array of shape"):
        made("no pair").reset()
    with pytest.raises(EnvironmentFault, match=r"step 1: step.. returned 4 values.*shimmy"):
        walked("four values")


@pytest.mark.parametrize(
    ("habit", "message"),
    [
        ("asset", r"FileNotFoundError: \[Errno 2\] No such file or directory: 'assets/robot.xml'"),
        ("exits", "SystemExit: no licence"),
    ],
)
def test_what_its_making_raises_is_told(habit, message):
    with pytest.raises(UserError, match=f"'{HABITS}' cannot be made: {message}") as caught:
        made(habit)
    assert caught.value.__cause__ is not None


def test_spaces_that_raise_are_told(monkeypatch):
    def ask(self):
        raise RuntimeError("connect first")

    monkeypatch.setattr(Habits, "observation_space", property(ask))
    with pytest.raises(UserError, match="cannot be made: RuntimeError: connect first"):
        made("")


class Terminated(SystemExit):
    """As a signal is told of."""


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interrupt_is_no_fault_of_the_environment(kind, monkeypatch):
    def interrupted(self, action):
        raise kind

    environment = made("")
    environment.reset(seed=0)
    monkeypatch.setattr(Habits, "step", interrupted)
    with pytest.raises(kind):
        environment.step(ACTION)


def test_integer_actions_are_refused_before_anything_runs():
    with pytest.raises(UserError, match="takes actions of dtype int8, policies draw real numbers"):
        made("integers")


@pytest.mark.parametrize(
    ("habit", "dtype"), [("", np.float32), ("doubles", np.float64), ("halves", np.float16)]
)
def test_an_action_has_the_dtype_of_its_space_and_is_nobody_elses(habit, dtype, monkeypatch):
    given = []
    monkeypatch.setattr(Habits, "step", _recording(Habits.step, given))
    environment = made(habit)
    environment.reset(seed=0)
    action = np.array([1 / 3])
    environment.step(action)
    assert given[0].dtype == dtype
    assert environment.action_space.contains(given[0])
    given[0][:] = 7.0
    assert action[0] == 1 / 3
    own = np.array([1 / 3], dtype=dtype)
    environment.step(own)
    assert not np.shares_memory(own, given[1])


def _recording(step, given):
    def recording(self, action):
        given.append(action)
        return step(self, action)

    return recording


def test_checked_and_edited_actions_change_nothing():
    plain = walked("")
    for habit in ("checks", "in place"):
        for one, other in zip(plain, walked(habit), strict=True):
            np.testing.assert_array_equal(one[0], other[0])


def test_observations_are_copies_in_the_dtype_of_their_space():
    one, other = made("one buffer"), made("one buffer")
    first, _ = one.reset(seed=1)
    kept = first.copy()
    other.reset(seed=2)
    one.step(ACTION)
    np.testing.assert_array_equal(first, kept)
    assert made("float64").reset(seed=0)[0].dtype == np.float32


def test_rewards_ends_and_signals_come_as_what_they_are():
    for habit in ("array reward", "array signal", "integer ends", "Booleans"):
        for _, reward, terminated, truncated, info in walked(habit):
            assert type(reward) is float
            assert type(terminated) is type(truncated) is bool
            assert all(type(value) is float for value in info["signals"].values())
            assert info["cost"] == 0.0
    assert walked("integer ends")[LATE - 1][2] is True
    assert walked("Booleans")[0][4]["signals"] == {"goal": -1.0, "hazard": -1.0}
    assert walked("")[0][4]["signals"]["goal"] == pytest.approx(-5.0, abs=0.2)


def test_older_interfaces_are_met_where_they_can_be():
    old = make_environment("sport_ray_tests/NoOptions-v0", {}, 10)
    new = made("")
    np.testing.assert_array_equal(old.reset(seed=3)[0], new.reset(seed=3)[0])
    with pytest.raises(UserError, match="takes no options"):
        old.reset(seed=3, options={"start": 1})
    with pytest.raises(UserError, match=r"takes no seed.*np_random"):
        make_environment("sport_ray_tests/NoSeed-v0", {}, 10).reset(seed=3)
    translated = make_environment("sport_ray_tests/Translated-v0", {}, 10)
    translated.reset(seed=0)
    assert translated.step(ACTION)[3] is False


def test_whoever_wraps_an_older_interface_in_gymnasiums_wrappers_is_met_too():
    inner = gymnasium.wrappers.RescaleAction(Habits("four values"), np.float32(-2), np.float32(2))
    environment = Stepping(gymnasium.wrappers.TimeLimit(inner, 5), "Some-v0")
    environment.reset(seed=0)
    with pytest.raises(EnvironmentFault, match="returned 4 values"):
        environment.step(ACTION)


def test_a_second_copy_that_cannot_be_names_the_remedy():
    with pytest.raises(UserError, match=r"port 5005 is in use .*environment\.copies: 1") as caught:
        make_copies(HABITS, {"habit": "one copy"}, 3)
    assert Habits.alive == 0  # the first one was closed
    assert isinstance(caught.value.__cause__, OSError)
    for _ in range(2):
        [alone] = make_copies(HABITS, {"habit": "one copy"}, 1)
        alone.close()


def test_an_environment_that_cannot_be_closed_only_warns():
    with pytest.warns(UserWarning, match="cannot be closed: AttributeError: no viewer"):
        made_with(HABITS, {"habit": "bad close"}).close()
    with pytest.warns(UserWarning, match="cannot be closed: SystemExit: goodbye"):
        made("exits at close").close()
