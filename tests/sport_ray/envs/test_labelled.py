"""Signals for an environment that has none."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from sport_ray.envs.labelled import Labelled
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios

SIGNALS = {"fast": lambda seen: abs(seen[2]) - 6.0, "upright": lambda seen: seen[0] - 0.95}


def test_every_state_is_labelled_and_nothing_else_changes():
    plain, labelled = (gymnasium.make("Pendulum-v1", max_episode_steps=5) for _ in range(2))
    labelled = Labelled(labelled, SIGNALS)
    seen, info = plain.reset(seed=3)
    same, labels = labelled.reset(seed=3)
    np.testing.assert_array_equal(seen, same)
    for step in range(5):
        assert set(labels) == {*info, "signals"}
        fast, upright = labels["signals"]["fast"], labels["signals"]["upright"]
        assert (type(fast), type(upright)) == (float, float)
        assert (fast, upright) == (float(abs(same[2]) - 6.0), float(same[0] - 0.95))
        (seen, *rest, info), (same, *others, labels) = (
            env.step(np.array([2.0], dtype=np.float32)) for env in (plain, labelled)
        )
        np.testing.assert_array_equal(seen, same)
        assert rest == others
        assert rest[2] == (step == 4)  # truncated


def test_signals_of_the_environment_are_kept_but_for_the_same_name():
    inner = Labelled(gymnasium.make("Pendulum-v1"), {"a": lambda seen: 1.0, "b": lambda seen: 2.0})
    _, info = Labelled(inner, {"b": lambda seen: 3.0}).reset(seed=0)
    assert info["signals"] == {"a": 1.0, "b": 3.0}


@pytest.mark.parametrize(
    ("signals", "problem"), [({}, "at least one"), ({"fast": 6.0}, "'fast' is 6.0")]
)
def test_what_is_no_signal_is_refused(signals, problem):
    with pytest.raises(ValueError, match=f"signals: .*{problem}"):
        Labelled(gymnasium.make("Pendulum-v1"), signals)


def labelled_pendulum(spoil: str = "") -> gymnasium.Env:
    env = gymnasium.make("Pendulum-v1", max_episode_steps=-1)
    if spoil != "wide":
        env = gymnasium.wrappers.RescaleAction(env, np.float32(-1), np.float32(1))
    slow = (lambda seen: np.nan) if spoil == "nan" else (lambda seen: 6.0 - abs(seen[2]))
    return Labelled(env, {**SIGNALS, "slow": slow})


@pytest.fixture
def pendulum():
    gymnasium.register("sport_ray_tests/Pendulum-v0", labelled_pendulum)
    yield lambda prop, **kwargs: ScenarioPlan(
        env_id="sport_ray_tests/Pendulum-v0",
        env_kwargs=kwargs,
        property=prop,
        horizon=30,
        root_seed=1,
        purpose="certify",
    )
    gymnasium.registry.pop("sport_ray_tests/Pendulum-v0")


def behaviour(squash: str) -> BaseBehaviour:
    spec = PolicySpec(observation_size=3, action_size=1, hidden=(4,), squash=squash)
    return BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))


def test_scenarios_are_judged_by_the_signals(pendulum):
    base = behaviour("tanh")
    never_fast = run_scenarios(pendulum("G !fast"), base, 0, 60)
    always_slow = run_scenarios(pendulum("G slow"), base, 0, 60)
    assert 0 < never_fast.num_violations(30) < 60
    np.testing.assert_array_equal(never_fast.verdicts, always_slow.verdicts)
    np.testing.assert_allclose(never_fast.robustness, always_slow.robustness, atol=1e-6)


def test_a_signal_that_is_nan_is_named(pendulum):
    with pytest.raises(UserError, match="signal 'slow' is NaN"):
        run_scenarios(pendulum("G !fast", spoil="nan"), behaviour("tanh"), 0, 2)


def test_a_tanh_policy_in_another_range_is_refused(pendulum):
    with pytest.raises(UserError, match=r"from -2 to 2.*RescaleAction\(env, -1, 1\)"):
        run_scenarios(pendulum("G !fast", spoil="wide"), behaviour("tanh"), 0, 2)
    # A policy without squashing gives what the environment is told, which clips on its own.
    assert (
        run_scenarios(pendulum("G !fast", spoil="wide"), behaviour("none"), 0, 2).num_scenarios == 2
    )
