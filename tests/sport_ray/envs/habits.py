"""A cart on a line whose author had one habit or another; what a habit is stands where it acts."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import WrapperSpec

BUFFER = np.zeros(2, dtype=np.float32)
HABITS = "sport_ray_tests/Habits-v0"
LATE = 3
"""The step at which habits show."""


class Panic(BaseException):
    """As extensions raise it: no Exception."""


class Silent(Exception):
    """One that cannot even say what happened."""

    def __str__(self) -> str:
        raise ValueError


class Habits(gymnasium.Env[Any, Any]):
    """x += v/10, v := 0.9 v + 0.3 a: neither the goal nor the hazard is reached in a few steps."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    alive = 0

    def __init__(self, habit: str = "") -> None:
        self.habit = habit
        kind = {"integers": np.int8, "doubles": np.float64, "halves": np.float16}
        self.action_space = spaces.Box(-1, 1, (1,), kind.get(habit, np.float32))
        if habit == "asset":
            raise FileNotFoundError(2, "No such file or directory", "assets/robot.xml")
        if habit == "exits":
            raise SystemExit("no licence")
        if habit == "one copy":
            if Habits.alive:
                raise OSError("port 5005 is in use")
            Habits.alive += 1

    def close(self) -> None:
        if self.habit == "one copy":
            Habits.alive -= 1
        if self.habit == "bad close":
            raise AttributeError("no viewer")
        if self.habit == "exits at close":
            raise SystemExit("goodbye")

    def see(self) -> Any:
        late = self.steps == LATE
        seen: Any = self.state.astype(np.float32)
        if self.habit == "one buffer":
            BUFFER[:] = self.state
            seen = BUFFER
        if self.habit == "float64":
            seen = self.state.astype(np.float64)
        if late and self.habit == "masked":
            return np.ma.array(seen, mask=[True, False])
        if late:
            seen = {
                "short": seen[:1],
                "column": seen[:, None],
                "text": ["a", "b"],
                "ragged": [[1.0], [1.0, 2.0]],
                "no observation": None,
                "NaN observation": [0.0, np.nan],
                "huge observation": [1e300, 0.0],
            }.get(self.habit, seen)
        return seen

    def info(self) -> Any:
        x, late = float(self.state[0]), self.steps == LATE
        goal: Any = x - 5.0
        hazard: Any = x - 0.8
        if self.habit == "Booleans":
            goal, hazard = x > 5.0, np.bool_(x > 0.8)
        if self.habit == "flags":
            goal, hazard = float(x > 5.0), int(x > 0.8)
        if self.habit == "array signal":
            goal = np.array([goal])
        if late:
            goal = {
                "mixed": True,
                "two signals": np.zeros(2),
                "text signal": "far",
                "no signal": None,
                "masked signal": np.ma.masked,
            }.get(self.habit, goal)
        if late and self.habit == "no info":
            return None
        if late and self.habit == "number for a name":
            return {"signals": {"goal": goal, 3: 1.0}}
        signals: Any = [goal, hazard] if late and self.habit == "list" else None
        return {"signals": signals or {"goal": goal, "hazard": hazard}, "cost": x > 0.8}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        if self.habit == "reset raises":
            raise ConnectionError("simulator is gone")
        self.steps, self.state = 0, self.np_random.uniform(-0.1, 0.1, 2)
        return self.see() if self.habit == "no pair" else (self.see(), self.info())

    def step(self, action: Any) -> Any:
        self.steps += 1
        late = self.steps == LATE
        if self.habit == "checks":
            assert self.action_space.contains(action), (action, action.dtype)
        if late and self.habit == "raises":
            raise RuntimeError("solver did not\nconverge")
        if late and self.habit == "panics":
            raise Panic("index out of range")
        if late and self.habit == "no text":
            raise Silent
        drive = 0.5 * float(np.asarray(action).ravel()[0])
        if self.habit == "in place":
            action *= 0.5
            drive = float(action[0])
        x, v = self.state
        self.state = np.array([x + 0.1 * v, 0.9 * v + 0.3 * drive])
        reward: Any = float(self.state[0])
        ended: Any = False
        if self.habit == "array reward":
            reward = self.state[:1]
        if late:
            reward = {
                "NaN reward": np.nan,
                "infinite reward": -np.inf,
                "two rewards": self.state,
                "no reward": None,
            }.get(self.habit, reward)
            ended = None if self.habit == "no end" else False
        if self.habit == "integer ends":
            ended = np.int64(late)
        if self.habit == "four values":
            return self.see(), reward, ended, self.info()
        return self.see(), reward, ended, False, self.info()


class NoOptions(Habits):
    """A ``reset`` of gym's first years, with a seed."""

    def reset(self, seed: int | None = None) -> Any:  # type: ignore[override]
        return super().reset(seed=seed)


class NoSeed(Habits):
    """One without even that."""

    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class Translated(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An author's own translation of four values into five."""

    def reset(self, **kwargs: Any) -> Any:
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        seen, reward, ended, info = self.env.step(action)  # type: ignore[misc]
        return seen, reward, ended, False, info


class Clock(gymnasium.Wrapper[Any, Any, Any, Any]):
    """As gymnasium's TimeAwareObservation: sees what share of the time limit has passed."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def _see(self, seen: Any) -> Any:
        limit = self.env.spec.max_episode_steps  # type: ignore[union-attr]
        return np.array([seen[0], self.steps / limit], dtype=np.float32)  # type: ignore[operator]

    def reset(self, **kwargs: Any) -> Any:
        self.steps = 0
        seen, info = self.env.reset(**kwargs)
        return self._see(seen), info

    def step(self, action: Any) -> Any:
        self.steps += 1
        seen, *rest = self.env.step(action)
        return self._see(seen), *rest


CLOCK = "sport_ray_tests/Clock-v0"


def register() -> None:
    """Register all of them, without switching gymnasium's own checks off."""
    entries: dict[str, Any] = {
        HABITS: Habits,
        "sport_ray_tests/NoOptions-v0": NoOptions,
        "sport_ray_tests/NoSeed-v0": NoSeed,
        "sport_ray_tests/Translated-v0": lambda: Translated(Habits("four values")),
    }
    for env_id, entry in entries.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, entry)
    if CLOCK not in gymnasium.registry:
        around = WrapperSpec("Clock", f"{__name__}:Clock", {})
        gymnasium.register(CLOCK, Habits, additional_wrappers=(around,))
