"""What n robots are, in tensors of one device."""

from __future__ import annotations

import torch
from torch import Tensor

from sport_ray.envs.dynamics import STATE_SIZE
from sport_ray.envs.settings import RobotSettings


class Robots:
    """The state of n robots, in tensors of one device that are written in place.

    state (n, 8) as in ``sport_ray.envs.dynamics``; goals and hazards (n, 2), m; goal_distance
    (n,), m; steps (n,) int64, done in the episode; noise (n, H, 2), what is added to the action of
    each step, or None.
    """

    def __init__(self, num_slots: int, device: torch.device, settings: RobotSettings) -> None:
        def zeros(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
            return torch.zeros(*shape, dtype=dtype, device=device)

        self.settings = settings
        self.num_slots = num_slots
        self.state = zeros(num_slots, STATE_SIZE)
        self.goals = zeros(num_slots, 2)
        self.hazards = zeros(num_slots, 2)
        self.goal_distance = zeros(num_slots)
        self.steps = zeros(num_slots, dtype=torch.int64)
        noisy = any(settings.actuation_noise)  # type: ignore[arg-type]
        self.noise = zeros(num_slots, settings.horizon, 2) if noisy else None
