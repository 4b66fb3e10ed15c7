"""Two small gymnasium environments with signals, and policies for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan

WALK, LOTTERY = "sport_ray_tests/Walk-v0", "sport_ray_tests/Lottery-v0"


class Walk(gymnasium.Env):
    """x += a + noise on a line: the goal lies above 2, the hazard below −1.

    ``spoil`` names one thing that it then does wrong.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (2,), dtype=np.float64)
    action_space = spaces.Box(-np.inf, np.inf, (1,), dtype=np.float32)

    def __init__(self, horizon: int, drift: float = 0.3, spoil: str = "") -> None:
        self.horizon, self.drift, self.spoil = horizon, drift, spoil
        if spoil == "stops early":
            self.horizon = 4
        if spoil == "discrete":
            self.action_space = spaces.Discrete(3)
        if spoil == "two actions":
            self.action_space = spaces.Box(-1, 1, (2,))

    def _see(self) -> tuple[np.ndarray, dict[str, Any]]:
        signals = {"hazard": -1.0 - self.x, "goal": self.x - 2.0}
        late = self.steps == 2
        if late and self.spoil == "signal goes":
            del signals["goal"]
        if late and self.spoil == "NaN signal":
            signals["hazard"] = float("nan")
        seen = np.array([self.x, self.steps / 10.0])
        if late and self.spoil == "NaN observation":
            seen[1] = np.nan
        if self.spoil == "wide observation":
            seen = np.zeros(3)
        return seen, {} if self.spoil == "no signals" else {"signals": signals}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.x, self.steps = float(self.np_random.normal()) * 0.2, 0
        return self._see()

    def step(self, action: np.ndarray):
        self.x += float(action[0]) + self.drift + 0.3 * float(self.np_random.normal())
        self.steps += 1
        return *self._see_with_end(), {**self._see()[1]}

    def _see_with_end(self):
        ended = self.x >= 2.0 or self.x <= -1.0
        return self._see()[0], 0.0, ended, self.steps >= self.horizon


class Lottery(gymnasium.Env):
    """With probability 1/2 the goal comes after one step, otherwise never: P(violation) = 1/2."""

    observation_space = spaces.Box(-1.0, 1.0, (2,), dtype=np.float64)
    action_space = spaces.Box(-np.inf, np.inf, (1,), dtype=np.float32)

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.lucky, self.steps = bool(self.np_random.random() < 0.5), 0
        return np.zeros(2), {"signals": {"hazard": -1.0, "goal": -1.0}}

    def step(self, action: np.ndarray):
        self.steps += 1
        signals = {"hazard": -1.0, "goal": 1.0 if self.lucky else -1.0}
        return np.zeros(2), 0.0, self.lucky, self.steps >= self.horizon, {"signals": signals}


@pytest.fixture(scope="session", autouse=True)
def registered() -> Iterator[None]:
    """Both environments under their ids, for the length of the session."""
    own = {WALK: Walk, LOTTERY: Lottery}
    for env_id in own.keys() - gymnasium.registry.keys():  # selection's tests use them, too
        gymnasium.register(env_id, own[env_id], disable_env_checker=True)
    yield
    for env_id in own:
        gymnasium.registry.pop(env_id, None)


@pytest.fixture(scope="session")
def walk_base() -> FrozenPolicy:
    """A policy for the two small environments."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        spec = PolicySpec(
            observation_size=2, action_size=1, hidden=(9,), log_std_min=-2.0, log_std_max=0.0
        )
        return FrozenPolicy(PolicyNetwork(spec))


@pytest.fixture(scope="session")
def walk_behaviour(walk_base: FrozenPolicy) -> BaseBehaviour:
    """That policy as a behaviour."""
    return BaseBehaviour(walk_base)


@pytest.fixture
def walk_plan() -> ScenarioPlan:
    """Scenarios on the line, some of which reach the goal, the hazard or neither."""
    return ScenarioPlan(
        env_id=WALK, property="(!hazard) U goal", horizon=12, root_seed=5, purpose="certify"
    )


@pytest.fixture
def lottery_plan() -> ScenarioPlan:
    """Scenarios that last 1 step or 20, with probability 1/2 each."""
    return ScenarioPlan(
        env_id=LOTTERY, property="(!hazard) U goal", horizon=20, root_seed=1, purpose="certify"
    )


@pytest.fixture
def robot_plan() -> ScenarioPlan:
    """Scenarios of the point robot with random layouts."""
    return ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "random"},
        property="(!hazard) U goal",
        horizon=25,
        root_seed=3,
        purpose="certify",
    )


@pytest.fixture(scope="session")
def robot_base(small_base: PolicyNetwork) -> FrozenPolicy:
    """The small base of the point robot, frozen."""
    return FrozenPolicy(small_base)


@pytest.fixture(scope="session")
def robot_task(small_base: PolicyNetwork) -> FrozenPolicy:
    """The same policy with other weights: a task policy some way off."""
    state = {name: value * 1.5 for name, value in small_base.state_dict().items()}
    task = PolicyNetwork(small_base.spec)
    task.load_state_dict(state)
    return FrozenPolicy(task)
