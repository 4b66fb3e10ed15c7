"""The reach-avoid point robot as a tensor environment, on a CPU or a GPU.

The same world as ``sport_ray/PointReachAvoid-v0``: its settings, its layouts and its noise. On a
CPU the compiled loops of the simulator run on the tensors' own memory, and an episode has the same
bits as :class:`~sport_ray.envs.point_reach_avoid.PointReachAvoidEnv` gives from the same seed. On a
GPU one Triton kernel does the whole step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from sport_ray.envs.observation import OBSERVATION_SIZE
from sport_ray.envs.settings import RobotSettings, positive_int
from sport_ray.tensors.environment import TensorStep
from sport_ray.tensors.robot_starts import (
    Starts,
    fixed_start,
    is_random,
    robot_starts,
    starts_from,
)
from sport_ray.tensors.robot_state import Robots

if TYPE_CHECKING:
    import gymnasium


class RobotKernels(Protocol):
    """What a device has for robots."""

    def start(self, robots: Robots, mask: Tensor, starts: Starts) -> tuple[Tensor, Tensor]:
        """Put the robots of ``mask`` at rest at their starts; observations and signals there.

        Rows of the others are zeros, or what those robots see now.
        """
        ...

    def step(self, robots: Robots, actions: Tensor) -> TensorStep:
        """One control step of all robots."""
        ...


class PointRobot:
    """The paper's reach-avoid point robot, ``num_slots`` times, in float64 (arXiv 2504.06386).

    The other keyword arguments are those of :class:`~sport_ray.envs.settings.RobotSettings`;
    signals, rewards and ends are those of
    :class:`~sport_ray.envs.simulator.PointReachAvoidSimulator`. A seed is a ``reset(seed=)`` of
    ``sport_ray/PointReachAvoid-v0``.

    An action that is not finite is refused on a CPU; on a GPU, where to look would cost a
    transfer, that slot's numbers are NaN until its next reset.

    Where layouts are random or there is noise, what is random is drawn on the host, 20 µs an
    episode, and moved.

    Raises:
        UserError: an argument is not among the allowed values.
        ValueError: at step, actions of another shape or, on a CPU, that are not finite.
    """

    signal_names: tuple[str, ...] = ("hazard", "goal")
    observation_size = OBSERVATION_SIZE
    cost_signal = "hazard"

    def __init__(
        self,
        num_slots: int,
        device: str | torch.device = "cpu",
        *,
        horizon: int = 100,
        **settings: Any,
    ) -> None:
        self.device = torch.device(device)
        self.num_slots = positive_int("num_slots", num_slots)
        self.settings = RobotSettings(horizon=horizon, **settings)
        self.robots = Robots(self.num_slots, self.device, self.settings)
        self._kernels = _kernels(self.device)
        # The one start of all episodes, where nothing is random.
        self._fixed = None if is_random(self.settings) else fixed_start(self.settings, self.device)

    @property
    def action_space(self) -> gymnasium.spaces.Box:
        """(push, turn), both in [-1, 1], float64; what lies outside is clipped."""
        from sport_ray.envs.point_reach_avoid import action_space

        return action_space()

    @property
    def draws_nothing(self) -> bool:
        """Whether seeds are not read, so that on a GPU nothing ever waits for the host."""
        return self._fixed is not None

    def reset(self, mask: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Start episodes; rows of other slots are zeros, or what those robots see now."""
        starts = self._fixed
        if starts is None:
            starts = robot_starts(self.settings, mask, seeds)
        return self._kernels.start(self.robots, mask, starts)

    def reset_from(
        self, mask: Tensor, generators: Callable[[], Sequence[np.random.Generator]]
    ) -> tuple[Tensor, Tensor]:
        """As ``reset``, each from its own generator as the simulator's scenarios are, if needed."""
        starts = self._fixed
        if starts is None:
            starts = starts_from(self.settings, mask, generators())
        return self._kernels.start(self.robots, mask, starts)

    def step(self, actions: Tensor) -> TensorStep:
        """One control step of 0.2 s of every robot."""
        if tuple(actions.shape) != (self.num_slots, 2):
            raise ValueError(
                f"actions: expected shape ({self.num_slots}, 2), got {tuple(actions.shape)}"
            )
        return self._kernels.step(self.robots, actions)

    def poses(self) -> Tensor:
        """x, y (m) and heading (rad, in [-pi, pi]), (n, 3), a copy."""
        return self.robots.state[:, :3].clone()


def _kernels(device: torch.device) -> RobotKernels:
    if device.type == "cpu":
        from sport_ray.tensors.robot_cpu import CpuKernels

        return CpuKernels()
    from sport_ray.tensors.robot_gpu import GpuKernels

    return GpuKernels()
