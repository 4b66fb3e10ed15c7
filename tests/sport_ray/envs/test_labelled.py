"""Signals for an environment that has none."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from sport_ray.envs.labelled import Labelled
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.projected_ppo.environment import TrainingEnvironment, take_violations
from sport_ray.properties import parse_property
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
    ("signals", "from_info", "problem"),
    [
        ({}, None, "signals: expected at least one"),
        ({"fast": 6.0}, None, "signals: 'fast' is 6.0, expected a function"),
        ({"fast": lambda *all: True}, None, "signal 'fast': its function takes"),
        (None, {"fast": 2}, "from_info: 'fast' is 2, expected a key"),
        ({"fast": lambda seen: True}, {"fast": "speed"}, "'fast' is in signals and in from_info"),
    ],
)
def test_what_is_no_signal_is_refused(signals, from_info, problem):
    with pytest.raises(UserError, match=problem):
        Labelled(gymnasium.make("Pendulum-v1"), signals, from_info=from_info)


def test_many_environments_are_not_labelled_at_once():
    many = gymnasium.make_vec("Pendulum-v1", num_envs=2, vectorization_mode="sync")
    with pytest.raises(UserError, match="SyncVectorEnv is many environments: label the single"):
        Labelled(many, SIGNALS)
    many.close()


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


class Drift(gymnasium.Env):
    """A push along a line, with noise; what happens is told by info, and kept by the simulator."""

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, told: str = "all", as_dict: bool = False) -> None:
        place = spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.observation_space = spaces.Dict({"place": place}) if as_dict else place
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.told, self.as_dict = told, as_dict

    def _seen(self) -> tuple[Any, dict[str, Any]]:
        out = abs(self.place) - 1.0
        info: dict[str, Any] = {
            "margin": out, "out": np.bool_(out > 0), "plain": bool(out > 0),
            "array": np.array([out > 0]), "cost": 3.0 * (out > 0), "flag": float(out > 0),
            "wrong": "yes", "negative": -1.0, "level": 0.0,
        }  # fmt: skip
        if self.told == "late" and self.steps == 0:
            info = {"seconds": 0.0, "fuel": 1.0}
        seen = np.array([self.place, self.steps], dtype=np.float32)
        return {"place": seen} if self.as_dict else seen, info

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.steps = self.np_random.normal(0.0, 0.3), 0
        return self._seen()

    def step(self, action):
        self.place += 0.1 * float(action[0]) + self.np_random.normal(0.0, 0.2)
        self.steps += 1
        seen, info = self._seen()
        return seen, -abs(self.place), False, False, info


WAYS: dict[str, dict[str, Any]] = {
    "obs": {"signals": {"out": lambda seen: abs(float(seen[0])) > 1.0}},
    "obs, number": {"signals": {"out": lambda seen: abs(float(seen[0])) - 1.0}},
    "obs, info": {"signals": {"out": lambda obs, info: info["margin"]}},
    "obs, info, Boolean": {"signals": {"out": lambda o, i: i["out"] and abs(o[0]) > 0.9}},
    "info, obs": {"signals": {"out": lambda info, obs: info["array"]}},
    "env": {"signals": {"out": lambda env: abs(env.place) > 1.0}},
    "simulator": {"signals": {"out": lambda env: abs(env.unwrapped.place) - 1.0}},
    "margin": {"from_info": {"out": "margin"}},
    "NumPy's Boolean": {"from_info": {"out": "out"}},
    "Boolean": {"from_info": {"out": "plain"}},
    "array": {"from_info": {"out": "array"}},
    "cost": {"from_info": {"out": "cost"}},
}


def drifting(way: str, **kwargs: Any) -> gymnasium.Env:
    return Labelled(Drift(**kwargs), **WAYS[way])


@pytest.fixture
def drift():
    gymnasium.register("sport_ray_tests/Drift-v0", drifting)
    yield lambda way, prop="G !out": ScenarioPlan(
        env_id="sport_ray_tests/Drift-v0",
        env_kwargs={"way": way},
        property=prop,
        horizon=15,
        root_seed=3,
        purpose="certify",
    )
    gymnasium.registry.pop("sport_ray_tests/Drift-v0")


def small(squash: str = "tanh") -> BaseBehaviour:
    spec = PolicySpec(observation_size=2, action_size=1, hidden=(4,), squash=squash)
    return BaseBehaviour(FrozenPolicy(PolicyNetwork(spec)))


def test_a_signal_is_the_same_wherever_it_comes_from(drift):
    """From the observation, info or the simulator; as a number or a Boolean; the same verdicts."""
    base = small()
    for prop in ("G !out", "F out", "F (out & X !out)"):
        tables = {way: run_scenarios(drift(way, prop), base, 0, 60) for way in WAYS}
        for way, table in tables.items():
            np.testing.assert_array_equal(table.verdicts, tables["obs"].verdicts, err_msg=way)
        assert 5 < tables["obs"].num_violations(15) < 55
    for way in ("NumPy's Boolean", "cost", "env"):
        assert set(tables[way].robustness) == {-1.0, 1.0}


@pytest.mark.parametrize("way", WAYS)
def test_copies_in_training_end_by_it(drift, way):
    """Side by side, as cells are trained: ends and counts of violations are those of the world."""
    del drift
    context = {
        "env_id": "sport_ray_tests/Drift-v0",
        "kwargs": {"way": way},
        "squash": "tanh",
        "num_envs": 4,
        "ends_when_violated": "G !out",
    }
    copies = TrainingEnvironment(context)
    seen, _ = copies.reset(seed=5)
    ended, over = 0, np.zeros(4, dtype=bool)
    for _ in range(40):
        seen, _, terminated, truncated, _ = copies.step(np.ones((4, 1), dtype=np.float32))
        out = abs(seen[:, 0]) > 1.0
        np.testing.assert_array_equal(terminated[~over], out[~over])
        ended, over = ended + int(terminated[~over].sum()), terminated | truncated
    assert take_violations(copies) == ended > 3


def test_gymnasium_s_own_vector_has_booleans_for_each_copy(drift):
    del drift
    for way in ("env", "cost", "NumPy's Boolean"):
        many = gymnasium.make_vec(
            "sport_ray_tests/Drift-v0", num_envs=3, vectorization_mode="sync", way=way
        )
        many.reset(seed=1)
        for _ in range(8):
            seen, *_, infos = many.step(np.ones((3, 1), dtype=np.float32))
            assert infos["signals"]["out"].dtype == np.bool_
            np.testing.assert_array_equal(infos["signals"]["out"], abs(seen[:, 0]) > 1.0)
        many.close()


def test_a_function_sees_the_observation_as_the_environment_made_it():
    signals = {"out": lambda seen: abs(seen["place"][0]) - 1.0}
    env = Labelled(Drift(as_dict=True), signals)
    seen, info = env.reset(seed=1)
    assert info["signals"]["out"] == abs(seen["place"][0]) - 1.0


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("level", 0.0),  # a number: at 0 it holds
        ("cost", False),  # a charge: at 0 there is none
        ("flag", 0.0),
        ("plain", False),
        ("out", False),
    ],
)
def test_zero_in_info_is_what_zero_is_everywhere(key, told):
    env = Labelled(Drift(), from_info={"it": key})
    _, info = env.reset(seed=1)
    value = info["signals"]["it"]
    assert (value, type(value)) == (told, type(told))
    verdict = parse_property("F it").evaluate({"it": [value]})
    assert verdict.satisfied.item() == (told is not False)
    assert verdict.robustness.item() == (0.0 if told is not False else -1.0)
    assert parse_property("G !it").evaluate({"it": [value]}).satisfied.item()


def test_numbers_that_are_flags_are_refused_still(drift, monkeypatch):
    monkeypatch.setitem(WAYS, "flag", {"from_info": {"out": "flag"}})
    from sport_ray.rollouts import Tally

    tally = Tally()
    run_scenarios(drift("flag"), small(), 0, 40, tally=tally)
    with pytest.raises(UserError, match=r"signal 'out' .* only ever was 0 or 1, as flags are"):
        tally.require_complete(40)


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ({"from_info": {"out": "margn"}}, r"'margn'\], which is not there; info holds 'array',"),
        ({"from_info": {"out": "wrong"}}, "signal 'out' is 'yes': expected a number"),
        ({"signals": {"out": lambda seen: None}}, "signal 'out' is None: expected a number"),
        ({"signals": {"out": lambda o, i: i["nothing"]}}, "signal 'out': KeyError: 'nothing'"),
        ({"signals": {"out": lambda env: env.plce}}, "AttributeError.*simulator is env.unwrapped"),
    ],
)
def test_what_goes_wrong_is_one_line_with_the_signal_s_name(drift, monkeypatch, way, problem):
    monkeypatch.setitem(WAYS, "it", way)
    with pytest.raises(UserError, match=problem) as refused:
        run_scenarios(drift("it"), small(), 0, 2)
    assert str(refused.value).startswith("environment 'sport_ray_tests/Drift-v0', ")
    assert "at reset: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_key_that_reset_does_not_give_yet_is_told_with_those_that_it_does():
    env = Labelled(Drift(told="late"), from_info={"out": "cost"})
    with pytest.raises(UserError, match=r"info\['cost'\], .* holds 'fuel', 'seconds': .*reset"):
        env.reset(seed=1)


@pytest.mark.parametrize("cost", [-1.0, np.nan, -np.inf])
def test_a_cost_below_0_is_none(cost):
    class Costs(Drift):
        def _seen(self):
            seen, info = super()._seen()
            return seen, {**info, "cost": cost}

    with pytest.raises(UserError, match=r"info\['cost'\], which is .*: a cost is 0 or more"):
        Labelled(Costs(), from_info={"out": "cost"}).reset(seed=1)
