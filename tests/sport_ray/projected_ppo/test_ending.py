"""Training episodes end with the step after which the property can never be satisfied."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from sport_ray.envs.making import horizon_arguments, make_copies
from sport_ray.errors import UserError
from sport_ray.projected_ppo import ProjectedPPOConfig
from sport_ray.projected_ppo.environment import TrainingEnvironment, take_violations
from sport_ray.tensors import PointRobot, register_tensor_environment
from tests.sport_ray.envs.habits import HABITS, Habits, register

register()
ROBOT = "sport_ray/PointReachAvoid-v0"
TENSORS = "sport_ray_tests/EndedRobot-v0"
EXAMPLE = "sport_ray.experiments.examples.pendulum:sport_ray_examples/SafePendulum-v0"
OWN = "(!hazard) U goal"
HORIZON = 25


def robots(env_id: str = ROBOT, **more: Any) -> dict[str, Any]:
    kwargs = {"horizon": HORIZON, "layout": "random", "end_on_violation": False}
    return {"env_id": env_id, "kwargs": kwargs, "squash": "tanh", "num_envs": 5, **more}


def driven(given: dict[str, Any], steps: int = 160) -> tuple[list[Any], int | None]:
    """What the environment gives under drawn actions, mostly forwards, and violations counted."""
    environment = TrainingEnvironment(given)
    rng = np.random.default_rng(8)
    found = [environment.reset(seed=3)[0]]
    for _ in range(steps):
        action = rng.normal([1.5, 0.0], [0.5, 0.4], (given["num_envs"], 2)).astype(np.float32)
        found += environment.step(action)[:4]
    return found, take_violations(environment)


@pytest.mark.parametrize(
    "general",
    [
        robots(ends_when_violated=OWN),
        robots(ends_when_violated=OWN, cut_after=HORIZON),
        robots(TENSORS, ends_when_violated=OWN),
    ],
    ids=["its own vector environment", "copies", "tensors"],
)
def test_the_robot_ends_from_outside_as_it_does_by_itself(general):
    register_tensor_environment(TENSORS, PointRobot)
    native = {**general, "ends_when_violated": None}
    native["kwargs"] = {**native["kwargs"], "end_on_violation": True}
    expected, violations = driven(native)
    found, counted = driven(general)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert counted == violations > 1
    through, _ = driven({**general, "ends_when_violated": None})
    assert any(not np.array_equal(*two) for two in zip(through, found, strict=True))


def test_one_robot_ends_as_well():
    general = {**robots(ends_when_violated="G !hazard"), "num_envs": 1}
    vector, single = (
        TrainingEnvironment(one)
        for one in (general, {k: v for k, v in general.items() if k != "num_envs"})
    )
    ends = 0
    for seed in range(20):
        vector.reset(seed=[seed]), single.reset(seed=seed)
        for _ in range(HORIZON):
            action = np.array([[2.0, 0.05]], dtype=np.float32)
            expected, got = vector.step(action), single.step(action[0])
            assert (got[2], got[3]) == (expected[2][0], expected[3][0])
            if got[2] or got[3]:
                ends += got[2]
                break
    assert 0 < ends < 20


def test_a_property_of_any_environment_ends_it_and_is_counted():
    """Pendulum tells no cost and never ends: driven too fast it does, and starts anew."""
    given = {
        "env_id": EXAMPLE,
        "kwargs": horizon_arguments(EXAMPLE, 40),
        "squash": "none",
        "num_envs": 4,
        "ends_when_violated": "G !fast",
    }
    environment = TrainingEnvironment(given)
    environment.reset(seed=1)
    speed, over, ended = np.zeros(4), np.zeros(4, dtype=bool), 0
    for _ in range(200):
        action = np.where(speed >= 0.0, 1.0, -1.0).astype(np.float32)[:, None]
        seen, _, terminated, truncated, _ = environment.step(action)
        speed = seen[:, 2].astype(np.float64)
        np.testing.assert_array_equal(terminated, (np.abs(speed) >= 6.0) & ~over)
        assert not (terminated & truncated).any()
        over = terminated | truncated
        ended += int(terminated.sum())
    assert ended > 5
    assert take_violations(environment) == ended


@pytest.mark.parametrize(
    ("formula", "step"), [("F[0,3] (x_above)", 3), ("F x_above", None), ("G !hazard", None)]
)
def test_lateness_ends_an_episode_only_where_the_formula_fixes_it(formula, step):
    """Nothing is reached in ten steps: that is too late for F[0,3], and still open for F."""
    given = {
        "env_id": HABITS,
        "kwargs": {"max_episode_steps": 10},
        "squash": "none",
        "num_envs": 2,
        "ends_when_violated": formula.replace("x_above", "goal"),
    }
    environment = TrainingEnvironment(given)
    environment.reset(seed=0)
    ends = []
    for _ in range(10):
        terminated, truncated = environment.step(np.zeros((2, 1), dtype=np.float32))[2:4]
        ends.append((terminated.any(), truncated.any()))
        if terminated.any() or truncated.any():
            break
    assert len(ends) == (step or 10)
    assert ends[-1] == ((True, False) if step else (False, True))


class OwnVector(SyncVectorEnv):
    """An author's own vector environment of carts."""

    made = 0

    def __init__(self, num_envs: int, **kwargs: Any) -> None:
        OwnVector.made += 1
        super().__init__([lambda one=one: one for one in make_copies(HABITS, kwargs, num_envs)])


class EndableVector(OwnVector):
    """One whose copies can be ended from outside."""

    def end(self, mask: np.ndarray) -> None:
        self._autoreset_envs = self._autoreset_envs | mask


@pytest.mark.parametrize(("vector", "used"), [(OwnVector, False), (EndableVector, True)])
def test_an_authors_own_vector_environment_is_used_where_it_can_be_ended(vector, used):
    env_id = f"sport_ray_tests/{vector.__name__}-v0"
    if env_id not in gymnasium.registry:
        gymnasium.register(env_id, Habits, vector_entry_point=vector)
    given = {"env_id": env_id, "kwargs": {"max_episode_steps": 30}, "squash": "none", "num_envs": 3}
    found = []
    for formula in ("G !hazard", None):
        OwnVector.made = 0
        environment = TrainingEnvironment({**given, "ends_when_violated": formula})
        assert OwnVector.made == (used or formula is None)
        environment.reset(seed=2)
        steps = [environment.step(np.ones((3, 1), dtype=np.float32)) for _ in range(60)]
        found.append((np.array([one[2] for one in steps]), take_violations(environment)))
    (ended, counted), (going_on, _) = found
    assert not going_on.any()
    assert counted == ended.sum() > 2


def without(signals: Any) -> Any:
    plain = Habits.info

    def info(self):
        told = plain(self)
        if signals == "none":
            del told["signals"]
        elif signals == "missing" and self.steps == 2:
            del told["signals"]["hazard"]
        elif signals == "NaN" and self.steps == 2:
            told["signals"]["hazard"] = np.nan
        return told

    return info


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        ("none", "copy 1, episode 1, at reset: it gives no info"),
        ("missing", "copy 1, episode 1, step 2: signal 'hazard' is missing"),
        ("NaN", "copy 1, episode 1, step 2: signal 'hazard' is NaN"),
    ],
)
@pytest.mark.parametrize("vector", [False, True])
def test_what_cannot_say_is_refused_in_one_line(signals, told, vector, monkeypatch):
    monkeypatch.setattr(Habits, "info", without(signals))
    env_id = HABITS
    if vector:
        env_id, told = "sport_ray_tests/Endable-v0", told.partition(": ")[2].split(" is ")[0]
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, Habits, vector_entry_point=EndableVector)
    given = {
        "env_id": env_id,
        "kwargs": {"max_episode_steps": 10},
        "squash": "none",
        "num_envs": 2,
        "ends_when_violated": "G !hazard",
    }
    with pytest.raises(UserError, match=told) as caught:
        environment = TrainingEnvironment(given)
        environment.reset(seed=0)
        for _ in range(3):
            environment.step(np.zeros((2, 1), dtype=np.float32))
    assert "\n" not in str(caught.value)


def test_a_property_over_other_signals_is_refused():
    environment = TrainingEnvironment(robots(ends_when_violated="G !water"))
    with pytest.raises(UserError, match=r"needs the signal 'water'; .* provides goal, hazard"):
        environment.reset(seed=0)


def test_the_configuration_takes_a_formula():
    config = ProjectedPPOConfig().training(alpha=1.5, ends_when_violated="((!hazard)) U goal")
    assert config.ends_when_violated == OWN
    assert config.training(ends_when_violated=None).ends_when_violated is None
    with pytest.raises(UserError, match="property"):
        config.training(ends_when_violated="G (")
