"""The stock task's own numbers, its costs as signals, and exact seeds."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from ctypes.util import find_library

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from sport_ray.adapters.safety_gymnasium import AGENTS, TASKS, SafetyEnv
from sport_ray.adapters.safety_gymnasium.clearance import clearance
from sport_ray.adapters.safety_gymnasium.environment import _make_builder
from sport_ray.envs.making import make_copies, make_environment
from sport_ray.errors import UserError
from sport_ray.sources import environment_sources

pytestmark = pytest.mark.usefixtures("installed")
GOAL = "SafetyPointGoal1-v0"
NAMED = "sport_ray.adapters.safety_gymnasium:sport_ray/"


def actions(env, count, seed=0):
    generator = np.random.default_rng(seed)
    return generator.uniform(-1, 1, (count, *env.action_space.shape)).astype(np.float32)


def episode(env, steps=20, **reset):
    first, info = env.reset(**reset)
    return [(first, info), *(env.step(action) for action in actions(env, steps))]


@pytest.mark.parametrize("task", [GOAL, "SafetyCarButton1-v0", "SafetyPointCircle1-v0"])
@pytest.mark.parametrize("repeat", [1, 4])
def test_every_number_is_the_stock_tasks_to_the_bit(task, repeat):
    stock, env = _make_builder(task), SafetyEnv(task, repeat=repeat)
    expected, _ = stock.reset(seed=5)
    seen, _ = env.reset(seed=5)
    np.testing.assert_array_equal(seen, expected)
    for action in actions(env, 15):
        rewards, costs = [], []
        for _ in range(repeat):
            expected, reward, cost, ended, _, _ = stock.step(action.astype(np.float64))
            rewards.append(reward)
            costs.append(cost)
        seen, paid, terminated, truncated, info = env.step(action)
        np.testing.assert_array_equal(seen, expected)
        assert (paid, info["cost"], terminated, truncated) == (
            sum(rewards), sum(costs), ended, False,
        )  # fmt: skip
        assert info["signals"]["cost"] is (sum(costs) > 0)


def into_hazard(env):
    """Actions that drive the point straight to the nearest hazard."""
    while True:
        task = env._task
        nearest = min(task.hazards.pos, key=lambda at: np.hypot(*(at - task.agent.pos)[:2]))
        angle = np.angle(complex(*task._ego_xy(nearest[:2])))
        yield np.array([float(abs(angle) < 0.5), np.clip(2 * angle, -1, 1)], dtype=np.float32)


def test_a_hazard_costs_where_the_agents_centre_is_inside_it():
    env = SafetyEnv(GOAL, repeat=5)
    _, info = env.reset(seed=0)
    assert info["signals"] == {"cost": False, "hazards": False, "goal": False}
    assert clearance(env._task) > 0
    seen = []
    for _, action in zip(range(60), into_hazard(env), strict=False):
        _, _, _, _, info = env.step(action)
        assert info["signals"]["cost"] is info["signals"]["hazards"]
        assert info["cost"] == info["cost_hazards"]
        inside = clearance(env._task) < 0  # at the end of the action; it may have left meanwhile
        assert info["signals"]["cost"] or not inside
        seen.append(info["signals"]["cost"])
    assert True in seen
    assert False in seen


def test_the_goal_is_a_signal_in_the_step_that_meets_it():
    env = SafetyEnv("SafetyPointGoal0-v0", repeat=5)
    env.reset(seed=1)
    task, met = env._task, []
    for _ in range(60):
        angle = np.angle(complex(*task._ego_xy(task.goal.pos[:2])))
        before = task.goal.pos.copy()
        action = np.array([float(abs(angle) < 0.5), np.clip(2 * angle, -1, 1)], dtype=np.float32)
        _, reward, _, _, info = env.step(action)
        assert info["signals"]["goal"] is info["goal_met"]
        assert info["signals"]["goal"] is not np.array_equal(before, task.goal.pos)  # a new one
        met.append(info["signals"]["goal"])
        assert not met[-1] or reward > 0.5
    assert any(met)


@pytest.mark.parametrize(
    ("task", "kinds"),
    [
        ("SafetyPointGoal2-v0", {"hazards", "vases_contact", "vases_velocity", "goal"}),
        ("SafetyCarButton1-v0", {"hazards", "gremlins", "buttons", "goal"}),
        ("SafetyCarPush2-v0", {"hazards", "pillars", "goal"}),
        ("SafetyPointCircle2-v0", {"out_of_boundary"}),
        ("SafetyDoggoRun0-v0", {"out_of_boundary"}),
        ("SafetyAntGoal0-v0", {"goal"}),
        ("SafetyRacecarGoal1-v0", {"hazards", "goal"}),
    ],
)
def test_each_task_names_its_costs_in_every_state(task, kinds):
    env = make_environment(f"{NAMED}{task}", {}, 8)
    for _, *_, info in (step for step in episode(env, 8, seed=2)):
        assert set(info["signals"]) == {"cost", *kinds}
    assert set(env.booleans) == {"cost", *kinds}
    assert all(env.booleans.values())


def test_button_costs_are_named_while_the_timer_hides_them():
    env = SafetyEnv("SafetyPointButton1-v0")
    env.reset(seed=0)
    env._task.buttons.reset_timer()  # as the pressing of the right one does
    *_, info = env.step(np.zeros(2, dtype=np.float32))
    assert "cost_buttons" not in env._builder.cost
    assert info["signals"]["buttons"] is False


@pytest.mark.parametrize(("agent", "entries"), [("Point", 12), ("Car", 24), ("Doggo", 56),
                                                 ("Racecar", 12), ("Ant", 40)])  # fmt: skip
def test_spaces_are_flat_float64_and_actions_between_minus_one_and_one(agent, entries):
    env = SafetyEnv(f"Safety{agent}Goal1-v0")
    assert env.observation_space.shape == (entries + 3 * 16,)  # sensors; goal, hazards, vases
    assert env.observation_space.dtype == np.float64
    assert env.action_space.dtype == np.float32
    assert (env.action_space.low == -1).all()
    assert (env.action_space.high == 1).all()
    seen, _ = env.reset(seed=0)
    assert env.observation_space.contains(seen)
    env.step(env.action_space.high)
    np.testing.assert_allclose(env._task.data.ctrl, env._builder.action_space.high)


def test_the_same_seed_is_the_same_episode_in_used_and_new_and_vector_copies():
    env = SafetyEnv(GOAL, repeat=2)
    first = episode(env, seed=7)
    unseeded = [episode(env, 3) for _ in range(2)]
    assert not np.array_equal(unseeded[0][0][0], unseeded[1][0][0])
    assert data_equivalence(episode(env, seed=7), first, exact=True)
    assert data_equivalence([episode(env, 3) for _ in range(2)], unseeded, exact=True)
    copies = make_copies(f"{NAMED}{GOAL}", {"repeat": 2}, 2)
    for copy in copies:
        again = episode(copy, seed=7)
        for (seen, *_), (expected, *_) in zip(again, first, strict=True):
            np.testing.assert_array_equal(seen, expected)
    vector = gymnasium.make_vec(f"{NAMED}{GOAL}", num_envs=2, repeat=2)
    seen, _ = vector.reset(seed=[7, 8])
    np.testing.assert_array_equal(seen[0], first[0][0])
    np.testing.assert_array_equal(seen[1], env.reset(seed=8)[0])
    vector.close()


def test_seeds_beyond_those_of_the_stock_generator_are_taken_too():
    env, large = SafetyEnv(GOAL), 2**63 + 5
    seen, _ = env.reset(seed=large)
    np.testing.assert_array_equal(seen, env.reset(seed=large)[0])
    assert not np.array_equal(seen, env.reset(seed=large + 1)[0])


def test_numpys_global_stream_is_neither_used_nor_moved():
    np.random.seed(3)
    expected = np.random.random(4)
    np.random.seed(3)
    env = SafetyEnv(GOAL)
    episode(env, 3, seed=0)
    np.testing.assert_array_equal(np.random.random(4), expected)


def test_starts_that_cost_are_drawn_again(monkeypatch):
    env = SafetyEnv(GOAL)
    reset, refused = env._builder.reset, []

    def costly_first(seed):
        if len(refused) < 3:
            refused.append(seed)
            raise AssertionError("World has starting cost! {'cost_sum': 1.0}")
        return reset(seed=seed)

    monkeypatch.setattr(env._builder, "reset", costly_first)
    seen, _ = env.reset(seed=11)
    assert refused[0] == 11
    assert len(set(refused)) == 3
    refused.clear()
    np.testing.assert_array_equal(seen, env.reset(seed=11)[0])


def test_an_unstable_simulation_is_no_episode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes MUJOCO_LOG.TXT where it runs
    env = make_environment(f"{NAMED}{GOAL}", {}, 5)
    env.reset(seed=0)
    env.unwrapped._task.data.qvel[:] = 1e12
    with pytest.raises(UserError, match=r"SafetyPointGoal1.*step 1: .*unstable"):
        env.step(np.zeros(2))


def test_there_is_no_time_limit_of_its_own():
    env = SafetyEnv("SafetyPointCircle0-v0", repeat=100)  # the stock task: 500 steps
    env.reset(seed=0)
    still = np.zeros(2, dtype=np.float32)
    assert not any(env.step(still)[3] for _ in range(6))


def test_caution_takes_off_what_its_formula_says():
    plain, cautious = (
        SafetyEnv(GOAL, caution=caution, margin=margin)
        for caution, margin in ((0.0, 0.0), (2.0, 0.3))
    )
    for env in (plain, cautious):
        env.reset(seed=0)
    costs = []
    for _, action in zip(range(200), into_hazard(plain), strict=False):
        _, reward, _, _, info = plain.step(action)
        _, less, _, _, _ = cautious.step(action)
        near = 1.0 if info["cost"] else min(max(0.0, 1 - clearance(plain._task) / 0.3), 1.0)
        assert less == pytest.approx(reward - 2.0 * near, abs=1e-12)
        costs.append(near)
    assert min(costs) == 0.0
    assert max(costs) == 1.0


def test_walls_and_the_button_that_may_be_pressed():
    env = SafetyEnv("SafetyPointCircle1-v0")
    env.reset(seed=0)
    assert clearance(env._task) == pytest.approx(1.125 - abs(env._task.agent.pos[0]))
    env = SafetyEnv("SafetyPointButton1-v0")
    env.reset(seed=0)
    task = env._task
    wrong = [at for at in range(4) if at != task.buttons.goal_button]
    rims = [(task.buttons.pos[at], 0.1) for at in wrong]
    rims += [(at, 0.2) for at in task.hazards.pos] + [(at, 0.1) for at in task.gremlins.pos]
    expected = min(np.hypot(*(at - task.agent.pos)[:2]) - size for at, size in rims)
    assert clearance(task) == pytest.approx(expected, abs=1e-12)


def test_an_environment_is_pickled_by_its_arguments():
    env = pickle.loads(pickle.dumps(SafetyEnv(GOAL, repeat=3)))
    assert env.repeat == 3
    np.testing.assert_array_equal(env.reset(seed=4)[0], SafetyEnv(GOAL).reset(seed=4)[0])


@pytest.mark.skipif(find_library("EGL") is None, reason="no EGL to draw without a screen")
def test_a_picture_shows_where_things_are_in_each_episode():
    script = f"""if True:
        import numpy as np
        from sport_ray.adapters.safety_gymnasium import SafetyEnv
        env = SafetyEnv("{GOAL}", render_mode="rgb_array")
        env.reset(seed=0)
        first = env.render()
        assert first.shape == (480, 640, 3) and first.dtype == np.uint8
        green = (first[..., 1] > 150) & (first[..., 0] < 100) & (first[..., 2] < 100)
        assert green.any()  # the goal
        env.reset(seed=1)
        assert not np.array_equal(env.render(), first)
        env.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True,
        env={**os.environ, "MUJOCO_GL": "egl"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_fresh_process_knows_the_named_id_and_gives_the_same_episode():
    script = (
        "import gymnasium\n"
        f"env = gymnasium.make('{NAMED}{GOAL}', disable_env_checker=True)\n"
        "print(env.reset(seed=9)[0].tobytes().hex())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == SafetyEnv(GOAL).reset(seed=9)[0].tobytes().hex()


def test_all_ids_are_registered_and_others_are_refused_by_name():
    assert len(AGENTS) * len(TASKS) == 65
    for agent in AGENTS:
        for task in TASKS:
            assert f"sport_ray/Safety{agent}{task}-v0" in gymnasium.registry
    with pytest.raises(UserError, match=r"cannot be made: .*SafetyPointGoal9"):
        make_environment(f"{NAMED}SafetyPointGoal9-v0", {}, 5)
    with pytest.raises(UserError, match="task 'SafetyPointRace1-v0' is not known here"):
        SafetyEnv("SafetyPointRace1-v0")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"repeat": 0}, "repeat is 0"),
        ({"repeat": 2.5}, "repeat is 2.5"),
        ({"caution": -1.0}, "caution is -1.0"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"render_mode": "depth"}, "render_mode is 'depth'"),
    ],
)
def test_arguments_out_of_range_are_told_in_one_line(arguments, problem):
    with pytest.raises(UserError, match=problem):
        make_environment(f"{NAMED}{GOAL}", arguments, 5)


def test_a_certificate_records_the_adapter_and_the_versions_behind_it():
    sources = environment_sources(f"{NAMED}{GOAL}")
    assert {
        f"sport_ray.adapters.safety_gymnasium{part}"
        for part in ("", ".environment", ".private_copy", ".clearance")
    } <= set(sources.code)
    assert {"safety-gymnasium", "mujoco", "numpy"} <= set(sources.distributions)
    assert sources.distributions["safety-gymnasium"] == "1.0.0"
