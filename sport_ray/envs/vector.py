"""Many point robots behind gymnasium's vector interface, for RLlib's ``vector_entry_point``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import ArrayLike, NDArray

from sport_ray.envs.layouts import robot_generator
from sport_ray.envs.point_reach_avoid import (
    PointReachAvoidEnv,
    action_space,
    observation_space,
)
from sport_ray.envs.rendering import check_render_mode, draw_picture
from sport_ray.envs.reset_options import parse_reset_options
from sport_ray.envs.settings import positive_int
from sport_ray.envs.simulator import PointReachAvoidSimulator
from sport_ray.envs.vector_resets import copy_seeds, reset_mask


class PointReachAvoidVectorEnv(VectorEnv[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]):
    """``num_envs`` copies of :class:`PointReachAvoidEnv`, equal to them bit for bit.

    Autoreset is NEXT_STEP, the only mode that RLlib handles: the step after an end ignores that
    environment's action and returns the reset observation with reward 0 and no end.

    Each environment has its own generator: ``reset(seed=s)`` gives number i the seed s + i, a list
    gives each its own (None leaves that generator as it is). ``options`` are those of the single
    environment, for all alike or with one row per environment, and ``reset_mask`` (num_envs,) bool
    resets only some. ``infos`` has gymnasium's vector format: ``pose`` (num_envs, 3) with
    ``_pose``, and so on. Other arguments and errors are those of the single environment.
    """

    def __init__(
        self, num_envs: int = 1, *, render_mode: str | None = None, **settings: Any
    ) -> None:
        self.num_envs = positive_int("num_envs", num_envs)
        self.simulator = PointReachAvoidSimulator(self.num_envs, **settings)
        self.render_mode = check_render_mode(render_mode)
        self.metadata = {**PointReachAvoidEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = observation_space()
        self.single_action_space = action_space()
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

        self._slots = np.arange(self.num_envs)
        self._rngs: list[np.random.Generator | None] = [None] * self.num_envs
        self._ended = np.zeros(self.num_envs, dtype=np.bool_)
        self._trails: list[list[NDArray[np.float64]]] = [[] for _ in range(self.num_envs)]
        self._started = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """Start an episode in every environment, or in those of ``options["reset_mask"]``."""
        given = dict(options or {})
        mask = reset_mask(given.pop("reset_mask", None), self.num_envs, self._started)
        places = parse_reset_options(given, self.num_envs)
        slots = np.flatnonzero(mask)
        self._seed(seed, slots)
        self._start(slots)
        for slot in slots.tolist() if places else ():
            self.simulator.set_state(slot, **{key: rows[slot] for key, rows in places.items()})
        self._ended[slots] = False
        self._started = True
        obs, signals = self.simulator.observe(self._slots)
        return obs, self._infos(signals, mask)

    def step(
        self, actions: ArrayLike
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.bool_],
        NDArray[np.bool_],
        dict[str, Any],
    ]:
        """One control step in every environment, or a reset in those whose last step was an end."""
        if not self._started:
            raise ResetNeeded("Cannot call env.step() before calling env.reset()")
        control = np.asarray(actions, dtype=np.float64)
        if control.shape != (self.num_envs, 2):
            raise ValueError(f"actions: expected shape ({self.num_envs}, 2), got {control.shape}")
        if not self._ended.any():
            obs, signals, reward, terminated, truncated = self.simulator.step(self._slots, control)
        else:
            running, ended = np.flatnonzero(~self._ended), np.flatnonzero(self._ended)
            result = self.simulator.step(running, control[running])
            self._start(ended)
            obs, signals = self.simulator.observe(self._slots)
            reward = np.zeros(self.num_envs)
            terminated = np.zeros(self.num_envs, dtype=np.bool_)
            truncated = np.zeros(self.num_envs, dtype=np.bool_)
            reward[running] = result.reward
            terminated[running] = result.terminated
            truncated[running] = result.truncated
        self._ended = terminated | truncated
        infos = self._infos(signals, np.ones(self.num_envs, dtype=np.bool_))
        return obs, reward, terminated, truncated, infos

    def end(self, mask: NDArray[np.bool_]) -> None:
        """Take the episodes of copies (n,) as ended: their next step only resets them."""
        self._ended = self._ended | mask

    # gymnasium.VectorEnv types render by a variable of its own, which no subclass can fill.
    def render(self) -> tuple[NDArray[np.uint8], ...] | None:  # type: ignore[override]
        """One picture per environment; None without ``render_mode="rgb_array"``."""
        if self.render_mode is None:
            return None
        if not self._started:
            raise ResetNeeded("Cannot call env.render() before calling env.reset()")
        simulator = self.simulator
        return tuple(
            draw_picture(np.array(trail), simulator.goals[i], simulator.hazards[i])
            for i, trail in enumerate(self._trails)
        )

    def _start(self, slots: NDArray[np.int64]) -> None:
        rngs = []
        for slot in slots.tolist():
            rng = self._rngs[slot]
            if rng is None:
                rng = self._rngs[slot] = robot_generator(None)
            rngs.append(rng)
            self._trails[slot].clear()
        self.simulator.reset(slots, rngs)

    def _seed(self, seed: int | Sequence[int | None] | None, slots: NDArray[np.int64]) -> None:
        seeds = copy_seeds(seed, self.num_envs)
        for slot in slots.tolist():
            if seeds[slot] is not None:
                self._rngs[slot] = robot_generator(seeds[slot])

    def _infos(self, signals: NDArray[np.float64], mask: NDArray[np.bool_]) -> dict[str, Any]:
        poses = self.simulator.poses(self._slots)
        if self.render_mode is not None:
            for slot in np.flatnonzero(mask).tolist():
                self._trails[slot].append(poses[slot].copy())
        hazard, goal = signals.T.copy()
        return {
            "pose": poses,
            "_pose": mask,
            "signals": {"hazard": hazard, "_hazard": mask, "goal": goal, "_goal": mask},
            "_signals": mask,
            "goal_met": goal >= 0.0,
            "_goal_met": mask,
            "cost": (hazard >= 0.0).astype(np.float64),
            "_cost": mask,
        }
