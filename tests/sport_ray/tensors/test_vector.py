"""Tensor environments as training sees them: gymnasium's vector, and one of it."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from sport_ray.envs.faults import EnvironmentFault
from sport_ray.envs.making import make_environment
from sport_ray.errors import UserError
from sport_ray.projected_ppo.environment import TrainingEnvironment, take_violations
from sport_ray.tensors import PointRobot
from sport_ray.tensors.single import TensorEnv
from sport_ray.tensors.vector import TensorVectorEnv
from tests.sport_ray.tensors.line import LINE, Line, LineEnv

COPIES, STEPS = 5, 120


def pushes(steps: int = STEPS, copies: int = COPIES) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1.0, 1.0, (steps, copies, 1)).astype(np.float32)


def test_a_step_after_an_end_begins_the_next_episode():
    vector = TensorVectorEnv(COPIES, factory=Line)
    assert vector.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    seen, infos = vector.reset(seed=[3, 14, 15, 92, 65])
    singles = [LineEnv() for _ in range(COPIES)]
    for copy, (single, seed) in enumerate(zip(singles, [3, 14, 15, 92, 65], strict=True)):
        np.testing.assert_array_equal(seen[copy], single.reset(seed=seed)[0])
    first, ended, ends = np.ones(COPIES, dtype=bool), np.zeros(COPIES, dtype=bool), 0
    for move in pushes():
        seen, reward, terminated, truncated, infos = vector.step(move)
        for copy, single in enumerate(singles):
            if ended[copy]:
                assert (reward[copy], terminated[copy], truncated[copy]) == (0.0, False, False)
                assert seen[copy, 1] == 0.0  # no step of the new episode
                first[copy] = False
            elif first[copy]:  # later episodes have seeds of their own
                obs, paid, over, cut, info = single.step(move[copy])
                np.testing.assert_array_equal(seen[copy], obs)
                assert (reward[copy], terminated[copy], truncated[copy]) == (paid, over, cut)
                assert infos["signals"]["goal"][copy] == info["signals"]["goal"]
                assert infos["cost"][copy] == info["cost"]
        ended = terminated | truncated
        ends += int(ended.sum())
    assert not first.any()
    assert ends > 2 * COPIES


def test_a_copy_lives_through_the_same_whatever_the_others_are():
    """Its episodes follow from its seed, its actions and nothing else."""
    alone = TensorVectorEnv(1, factory=Line)
    among = TensorVectorEnv(COPIES, factory=Line)
    rows = [among.reset(seed=[9, 8, 7, 6, 5])[0][2]]
    mine = [alone.reset(seed=[7])[0][0]]
    for move in pushes():
        rows.append(np.append(*among.step(move)[:2])[[4, 5, 12]])
        mine.append(np.append(*alone.step(move[2:3])[:2]))
    np.testing.assert_array_equal(np.concatenate(rows), np.concatenate(mine))


def test_training_reads_violations_and_cuts_without_being_told():
    context = {
        "env_id": LINE,
        "kwargs": {"horizon": 15, "max_episode_steps": 15, "drift": -0.05},
        "num_envs": COPIES,
        "squash": "tanh",
    }
    counted = {}
    for cut in (None, 4):
        vector = TrainingEnvironment({**context, "cut_after": cut})
        assert isinstance(vector.unwrapped, TensorVectorEnv)
        seen, infos = vector.reset(seed=1)
        assert infos == {}
        lengths, steps, entered = [], np.zeros(COPIES), 0
        over = np.zeros(COPIES, dtype=bool)
        for _ in range(STEPS):
            seen, _, terminated, truncated, _ = vector.step(np.zeros((COPIES, 1)))
            steps = np.where(over, 0, steps + 1)
            over = terminated | truncated
            entered += int(((seen[:, 0] <= -1.0) & over).sum())
            lengths += steps[over].tolist()
        assert max(lengths) == (cut or max(lengths)) <= 15
        counted[cut] = take_violations(vector)
        assert counted[cut] == entered
    assert counted[None] > 0


def test_an_environment_without_a_cost_signal_reports_no_cost():
    class Silent(Line):
        cost_signal = None

    vector = TensorVectorEnv(2, factory=Silent)
    assert "cost" not in vector.reset(seed=0)[1]
    assert "cost" not in TensorEnv(factory=Silent).reset(seed=0)[1]


def test_only_some_can_be_reset():
    vector = TensorVectorEnv(3, factory=Line)
    with pytest.raises(ResetNeeded):
        vector.step(np.zeros((3, 1)))
    with pytest.raises(ResetNeeded, match="must reset all"):
        vector.reset(options={"reset_mask": np.array([True, False, False])})
    seen, _ = vector.reset(seed=4)
    mask = np.array([False, True, False])
    again, infos = vector.reset(seed=[1, 5, 1], options={"reset_mask": mask})
    np.testing.assert_array_equal(again, seen)  # 5 = 4 + 1, and nothing else was touched
    np.testing.assert_array_equal(infos["_signals"], mask)
    with pytest.raises(UserError, match="reset option 'pose' is unknown"):
        vector.reset(options={"pose": 1})
    with pytest.raises(UserError, match="'reset_mask' has shape"):
        vector.reset(options={"reset_mask": mask[:2]})
    with pytest.raises(ValueError, match="expected 3 seeds, got 2"):
        vector.reset(seed=[1, 2])


def test_what_goes_wrong_in_training_names_copy_and_step():
    vector = gymnasium.make_vec(
        LINE, num_envs=4, vectorization_mode="vector_entry_point", spoil="infinite observation"
    )
    vector.reset(seed=0)
    vector.step(np.zeros((4, 1)))
    with pytest.raises(EnvironmentFault, match=f"'{LINE}', copy 3, step 2: the observation is inf"):
        vector.step(np.zeros((4, 1)))


def test_one_of_it_is_a_gymnasium_environment():
    made = make_environment(LINE, {"drift": 0.1}, 6)
    assert isinstance(made.unwrapped, TensorEnv)
    single = LineEnv(horizon=6, drift=0.1)
    for seed in (5, 6, 7):
        seen, info = made.reset(seed=seed)
        wanted, told = single.reset(seed=seed)
        np.testing.assert_array_equal(seen, wanted)
        assert info["signals"] == told["signals"]
        over = False
        while not over:
            got, other = made.step(np.array([0.5])), single.step(np.array([0.5]))
            np.testing.assert_array_equal(got[0], other[0])
            # gymnasium's TimeLimit truncates what ends at the limit, too.
            assert got[1:3] == other[1:3]
            assert got[2] or got[3] == other[3]
            assert got[4]["signals"] == other[4]["signals"]
            assert got[4]["cost"] == other[4]["cost"]
            over = got[2] or got[3]
    # A reset without a seed goes on, and does not repeat.
    assert len({made.reset()[0][0] for _ in range(5)}) == 5
    made.close()


def test_a_step_after_an_end_is_no_reset_in_one():
    env = TensorEnv(factory=Line, horizon=2)
    env.reset(seed=0)
    ticks = [env.step(np.zeros(1))[0][1] for _ in range(4)]
    assert ticks == [0.1, 0.2, 0.3, 0.4]


def test_the_robot_says_what_its_gymnasium_form_says():
    vector = TensorVectorEnv(2, factory=PointRobot, layout="random")
    ours = gymnasium.make_vec(
        "sport_ray/PointReachAvoid-v0", num_envs=2, vectorization_mode="vector_entry_point",
        layout="random",
    )  # fmt: skip
    for got, wanted in (
        (vector.reset(seed=[4, 9]), ours.reset(seed=[4, 9])),
        (vector.step(np.ones((2, 2))), ours.step(np.ones((2, 2)))),
    ):
        np.testing.assert_array_equal(got[0], wanted[0])
        for name in ("pose", "cost"):
            np.testing.assert_array_equal(got[-1][name], wanted[-1][name])
        for name in ("hazard", "goal", "_goal"):
            np.testing.assert_array_equal(got[-1]["signals"][name], wanted[-1]["signals"][name])
