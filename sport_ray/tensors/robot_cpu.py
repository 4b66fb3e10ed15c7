"""Robots on a CPU: the simulator's compiled loops on the tensors' own memory."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.envs.dynamics import advance
from sport_ray.envs.observation import OBSERVATION_SIZE, observe
from sport_ray.envs.rewards import rewards_and_ends
from sport_ray.envs.simulator import RADII
from sport_ray.tensors.environment import TensorStep
from sport_ray.tensors.robot_starts import Starts
from sport_ray.tensors.robot_state import Robots

Floats = NDArray[np.float64]


class CpuKernels:
    """The same bits as :class:`~sport_ray.envs.simulator.PointReachAvoidSimulator` gives."""

    def start(self, robots: Robots, mask: Tensor, starts: Starts) -> tuple[Tensor, Tensor]:
        """Put the robots of ``mask`` at their starts; rows of the others are zeros."""
        slots = np.flatnonzero(mask.numpy())
        rows = np.zeros_like(slots) if len(starts.poses) == 1 else slots
        state = robots.state.numpy()
        state[slots, :3] = starts.poses.numpy()[rows]
        state[slots, 3:] = 0.0
        robots.goals.numpy()[slots] = starts.goals.numpy()[rows]
        robots.hazards.numpy()[slots] = starts.hazards.numpy()[rows]
        robots.steps.numpy()[slots] = 0
        if robots.noise is not None and starts.noise is not None:
            robots.noise.numpy()[slots] = starts.noise.numpy()[slots]
        observation = torch.zeros((robots.num_slots, OBSERVATION_SIZE), dtype=torch.float64)
        signals = torch.zeros((robots.num_slots, 2), dtype=torch.float64)
        seen, distances = _looked(robots, slots)
        observation.numpy()[slots] = seen
        signals.numpy()[slots] = RADII - distances
        robots.goal_distance.numpy()[slots] = distances[:, 1]
        return observation, signals

    def step(self, robots: Robots, actions: Tensor) -> TensorStep:
        """One control step of all robots.

        Raises:
            ValueError: actions that are not finite; nothing moved.
        """
        settings, count = robots.settings, robots.num_slots
        control: Floats = actions.detach().to(torch.float64).numpy()
        if not np.isfinite(control).all():
            bad = int(np.flatnonzero(~np.isfinite(control).all(axis=1))[0])
            raise ValueError(
                f"actions: slot {bad} got {control[bad].tolist()}, expected finite numbers"
            )
        steps = robots.steps.numpy()
        if robots.noise is not None:
            # Past its end a robot meets the last step's noise; it means nothing.
            column = np.minimum(steps, settings.horizon - 1)
            control = control + robots.noise.numpy()[np.arange(count), column]
        bias = np.array(settings.actuation_bias)
        if bias.any():
            control = control + bias
        slots = np.arange(count)
        advance(robots.state.numpy(), slots, np.clip(control, -1.0, 1.0))
        observation, distances = _looked(robots, slots)
        steps += 1
        before = robots.goal_distance.numpy()
        progress = before - distances[:, 1]
        before[:] = distances[:, 1]
        signals = RADII - distances
        rows = (observation, signals, *rewards_and_ends(settings, signals, progress, steps))
        return TensorStep(*map(torch.from_numpy, rows))


def _looked(robots: Robots, slots: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Observations (m, 44) and distances (m, 2) of slots."""
    seen, distances = np.empty((len(slots), OBSERVATION_SIZE)), np.empty((len(slots), 2))
    state, goals, hazards = (one.numpy() for one in (robots.state, robots.goals, robots.hazards))
    observe(state, goals, hazards, slots, seen, distances)
    return seen, distances
