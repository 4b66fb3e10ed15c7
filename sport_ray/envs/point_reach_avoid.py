"""The reach-avoid point robot as a gymnasium environment, ``sport_ray/PointReachAvoid-v0``."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.layouts import robot_generator
from sport_ray.envs.observation import OBSERVATION_SIZE
from sport_ray.envs.rendering import check_render_mode, draw_picture
from sport_ray.envs.reset_options import parse_reset_options
from sport_ray.envs.simulator import PointReachAvoidSimulator

_SLOT = np.zeros(1, dtype=np.int64)


def observation_space() -> spaces.Box:
    """44 numbers; see ``sport_ray.envs.observation``."""
    return spaces.Box(-np.inf, np.inf, (OBSERVATION_SIZE,), dtype=np.float64)


def action_space() -> spaces.Box:
    """(push, turn), both in [-1, 1]; the simulator clips.

    In float64: that is what it takes, in training, in scenarios and at deployment alike.
    """
    return spaces.Box(-1.0, 1.0, (2,), dtype=np.float64)


class PointReachAvoidEnv(gymnasium.Env[NDArray[np.float64], NDArray[np.float64]]):
    """Reach the goal, avoid the hazard: (!hazard) U goal (arXiv 2504.06386).

    >>> import gymnasium, sport_ray
    >>> env = gymnasium.make("sport_ray/PointReachAvoid-v0", layout="random", horizon=50)
    >>> obs, info = env.reset(seed=0, options={"goal": (0.0, 2.0)})
    >>> obs.shape, info["pose"].shape, sorted(info["signals"])
    ((44,), (3,), ['goal', 'hazard'])

    The keyword arguments are those of :class:`~sport_ray.envs.settings.RobotSettings`; signals
    and ends are of :class:`~sport_ray.envs.simulator.PointReachAvoidSimulator`. ``info`` holds
    after every reset and step: ``pose`` (x, y in metres, heading in [-pi, pi]), ``signals``
    (metres), ``goal_met`` (bool) and ``cost`` (1 inside the hazard, otherwise 0).

    ``reset(options=...)`` takes any of ``pose`` (x, y, heading), ``goal`` (x, y) and ``hazard``
    (x, y), which get no noise; the rest comes from the layout. Actions in float64 are not rounded.
    Stepping past the end of an episode goes on simulating, and each step reports what holds in its
    own state.

    Raises:
        UserError: A keyword argument or a reset option is not among the allowed values.
        ResetNeeded: ``step`` or ``render`` before the first ``reset``.
        ValueError: An action is not two finite numbers.
    """

    # gymnasium.Env declares it so: mypy refuses a ClassVar in its place.
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self, *, horizon: int = 100, render_mode: str | None = None, **settings: Any
    ) -> None:
        self.simulator = PointReachAvoidSimulator(1, horizon=horizon, **settings)
        self.render_mode = check_render_mode(render_mode)
        self.observation_space = observation_space()
        self.action_space = action_space()
        self._trail: list[NDArray[np.float64]] = []
        self._started = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode; ``seed`` determines all random layouts until the next seed."""
        given = parse_reset_options(options)
        super().reset(seed=seed)
        if seed is not None:  # in place of gymnasium's, which anybody's default_rng(seed) is, too
            self._np_random = robot_generator(seed)
        obs, signals = self.simulator.reset(_SLOT, [self.np_random])
        if given:
            self.simulator.set_state(0, **given)
            obs, signals = self.simulator.observe(_SLOT)
        self._started = True
        self._trail.clear()
        return obs[0], self._info(signals[0])

    def step(
        self, action: ArrayLike
    ) -> tuple[NDArray[np.float64], float, bool, bool, dict[str, Any]]:
        """One control step of 0.2 s."""
        self._require_reset("step")
        control = np.asarray(action, dtype=np.float64)
        if control.shape != (2,):
            raise ValueError(f"action: expected shape (2,), got {control.shape}")
        result = self.simulator.step(_SLOT, control[None])
        return (
            result.obs[0],
            float(result.reward[0]),
            bool(result.terminated[0]),
            bool(result.truncated[0]),
            self._info(result.signals[0]),
        )

    # gymnasium.Env types render by a variable of its own, which no subclass can fill.
    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """A picture from above, (H, W, 3) uint8; None without ``render_mode="rgb_array"``."""
        if self.render_mode is None:
            return None
        self._require_reset("render")
        return draw_picture(
            np.array(self._trail), self.simulator.goals[0], self.simulator.hazards[0]
        )

    def _info(self, signals: NDArray[np.float64]) -> dict[str, Any]:
        pose = self.simulator.poses(_SLOT)[0]
        if self.render_mode is not None:
            self._trail.append(pose)
        hazard, goal = signals.tolist()
        return {
            "pose": pose.copy(),
            "signals": {"hazard": hazard, "goal": goal},
            "goal_met": goal >= 0.0,
            "cost": float(hazard >= 0.0),
        }

    def _require_reset(self, method: str) -> None:
        if not self._started:
            raise ResetNeeded(f"Cannot call env.{method}() before calling env.reset()")
