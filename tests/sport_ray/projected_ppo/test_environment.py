"""Environments for training that are not the point robot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sport_ray.envs.making import horizon_arguments
from sport_ray.errors import UserError
from sport_ray.projected_ppo.environment import TrainingEnvironment, take_violations
from tests.sport_ray.envs.habits import CLOCK, HABITS, LATE, Habits, register

register()

EXAMPLE = "sport_ray.experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0"


def context(env_id: str, horizon: int, **more: object) -> dict:
    return {
        "env_id": env_id,
        "kwargs": horizon_arguments(env_id, horizon),
        "squash": "tanh",
        **more,
    }


def test_a_stock_environment_is_cut_at_the_horizon_and_reset_on_the_next_step():
    vector = TrainingEnvironment(context(EXAMPLE, 6, num_envs=3))
    first, _ = vector.reset(seed=4)
    lows = []
    for step in range(1, 15):
        seen, reward, terminated, truncated, infos = vector.step(np.full((3, 1), 0.5))
        assert infos == {}
        assert not terminated.any()
        assert truncated.all() == (step in (6, 13))
        assert truncated.any() == truncated.all()
        assert (reward == 0).all() == (step in (7, 14))  # these only reset
        lows.append(seen)
    assert not np.array_equal(lows[6], lows[5])
    np.testing.assert_array_less(np.abs(lows[6][:, 2]), 1.0 + 1e-6)  # the law of initial states
    assert first.shape == (3, 3)


def test_the_whole_torque_is_reached():
    """tanh(∞) is the stock environment's 2 N m, and tanh(0.5) its share of them."""
    from gymnasium.envs.classic_control.pendulum import PendulumEnv

    for action, torque in ((20.0, 2.0), (0.5, 2.0 * np.tanh(0.5)), (-20.0, -2.0)):
        single = TrainingEnvironment(context(EXAMPLE, 6))
        stock = PendulumEnv()
        stock.dt = single.unwrapped.dt
        single.reset(seed=1), stock.reset(seed=1)
        seen, reward, *_ = single.step(np.array([action]))
        expected, stock_reward, *_ = stock.step(np.array([torque]))
        np.testing.assert_allclose(seen, expected, atol=1e-6)
        assert reward == pytest.approx(stock_reward, abs=1e-6)


def test_the_robots_vector_environment_keeps_its_own_horizon():
    vector = TrainingEnvironment(context("sport_ray/PointReachAvoid-v0", 4, num_envs=2))
    vector.reset(seed=0)
    ends = [vector.step(np.zeros((2, 2)))[3].all() for _ in range(4)]
    assert ends == [False, False, False, True]


@pytest.mark.parametrize("more", [{}, {"num_envs": 2}])
def test_actions_in_another_range_are_refused(more):
    with pytest.raises(UserError, match=r"'Pendulum-v1' takes actions from -2 to 2"):
        TrainingEnvironment(context("Pendulum-v1", 6, **more))


def test_a_fresh_process_finds_the_id_by_its_module():
    code = (
        "from sport_ray.projected_ppo.environment import TrainingEnvironment\n"
        f"env = TrainingEnvironment({{'env_id': {EXAMPLE!r}, 'kwargs': {{'max_episode_steps': 5}},"
        " 'squash': 'tanh', 'num_envs': 2})\n"
        "print(env.reset(seed=0)[0].shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "(2, 3)", done.stderr


def cart(habit: str = "", *, env_id: str = HABITS, squash: str = "none", **more: object) -> dict:
    """Training environments with a habit, made for 10 steps."""
    kwargs = {"max_episode_steps": 10, **({"habit": habit} if habit else {})}
    return {"env_id": env_id, "kwargs": kwargs, "squash": squash, "num_envs": 3, **more}


def drive(given: dict, steps: int = 6, dtype: type = np.float32) -> tuple[np.ndarray, list]:
    """The actions as they are after the steps, and what the steps returned."""
    vector = TrainingEnvironment(given)
    vector.reset(seed=3)
    actions = np.full((3, 1), 0.4, dtype=dtype)
    results = [vector.step(actions) for _ in range(steps)]
    vector.close()
    return actions, results


@pytest.mark.parametrize("squash", ["none", "tanh"])
@pytest.mark.parametrize("habit", ["in place", "checks", "array reward", "Booleans", "one buffer"])
def test_habits_change_nothing_that_ppo_learns_from(habit, squash):
    _, wanted = drive(cart(squash=squash))
    actions, got = drive(cart(habit, squash=squash))
    assert (actions == np.float32(0.4)).all()
    for one, other in zip(wanted, got, strict=True):
        for mine, its in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("habit", ["raises", "short", "NaN reward", "four values", "no end"])
def test_what_goes_wrong_in_training_is_told_as_in_scenarios(habit):
    step = 1 if habit == "four values" else LATE
    with pytest.raises(UserError, match=f"'{HABITS}', copy 1, episode 1, step {step}: "):
        drive(cart(habit))
    with pytest.raises(UserError, match="takes actions of dtype int8"):
        drive(cart("integers"))
    with pytest.raises(UserError, match=r"environment\.copies: 1"):
        drive(cart("one copy"))
    assert Habits.alive == 0


@pytest.mark.parametrize("num_envs", [{}, {"num_envs": 3}])
def test_training_cuts_episodes_without_the_environments_knowledge(num_envs):
    """Made for 10 steps, cut after 4: the clock shows tenths, and the fourth step is the last."""
    given = {**cart(env_id=CLOCK), "cut_after": 4}
    if not num_envs:
        del given["num_envs"]
    environment = TrainingEnvironment(given)
    environment.reset(seed=0)
    action = np.zeros((3, 1) if num_envs else (1,), dtype=np.float32)
    for step in range(1, 5):
        seen, _, terminated, truncated, _ = environment.step(action)
        assert np.all(seen[..., 1] == np.float32(step / 10))
        assert not np.any(terminated)
        assert np.all(truncated) == np.any(truncated) == (step == 4)


def test_the_robot_is_cut_as_copies_are():
    """Its own vector environment cannot be cut from outside: copies are, to the same numbers."""
    env_id = "sport_ray/PointReachAvoid-v0"
    own = TrainingEnvironment(context(env_id, 4, num_envs=2))
    cut = TrainingEnvironment(context(env_id, 9, num_envs=2, cut_after=4))
    for vector in (own, cut):
        vector.reset(seed=0)
    for _ in range(9):
        one, other = (vector.step(np.full((2, 2), 0.3)) for vector in (own, cut))
        for mine, its in zip(one[:4], other[:4], strict=True):
            np.testing.assert_array_equal(mine, its)


def test_costs_are_counted_in_any_form(monkeypatch):
    forms = iter([np.bool_(True), np.array([0.5]), 1])
    plain = Habits.info

    def info(self):
        told = plain(self)
        return {**told, "cost": self.form if self.steps == 2 else False, "odd": object()}

    def start(self, habit=""):
        plain_start(self, habit)
        self.form = next(forms)

    plain_start = Habits.__init__
    monkeypatch.setattr(Habits, "__init__", start)
    monkeypatch.setattr(Habits, "info", info)
    vector = TrainingEnvironment(cart())
    vector.reset(seed=0)
    for _ in range(4):
        vector.step(np.zeros((3, 1)))
    assert take_violations(vector) == 3
