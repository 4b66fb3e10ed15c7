"""Where robots' episodes start, and the noise that they will meet: all that is random in them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sport_ray.envs.disturbances import BLOCK, Disturbances, Pose
from sport_ray.envs.layouts import FIXED_LAYOUT, robot_generator, sample_layout
from sport_ray.envs.settings import RobotSettings


class Starts(NamedTuple):
    """Poses (n or 1, 3), centres (n or 1, 2) and noise (n, H, 2); rows of other slots are zeros."""

    poses: Tensor
    goals: Tensor
    hazards: Tensor
    noise: Tensor | None


def fixed_start(settings: RobotSettings, device: torch.device) -> Starts:
    """The start of every episode, where nothing is random."""
    nobody = np.random.default_rng(0)  # nothing is drawn
    pose = _within_a_turn(Disturbances(settings, 1).start(0, nobody, FIXED_LAYOUT.pose))
    poses, goals, hazards = (
        torch.tensor([one], dtype=torch.float64, device=device)
        for one in (pose, FIXED_LAYOUT.goal, FIXED_LAYOUT.hazard)
    )
    return Starts(poses, goals, hazards, None)


def robot_starts(settings: RobotSettings, mask: Tensor, seeds: Tensor) -> Starts:
    """The starts of the episodes that ``seeds`` (n,) int64 name, in the slots of ``mask`` (n,).

    Each draws from the generator of its own seed, on the host, in the order in which the simulator
    draws: the numbers are the same to the bit.
    """
    chosen, given = mask.cpu().numpy(), seeds.cpu().numpy()
    return _drawn(settings, chosen, given, mask.device)


def is_random(settings: RobotSettings) -> bool:
    """Whether anything in an episode is drawn."""
    noise = np.concatenate([settings.start_noise, settings.actuation_noise])
    return settings.layout == "random" or bool(noise.any())


def _drawn(
    settings: RobotSettings,
    mask: NDArray[np.bool_],
    seeds: NDArray[np.int64],
    device: torch.device,
) -> Starts:
    disturbances = Disturbances(settings, 1)
    std = np.array(settings.actuation_noise)
    count = len(mask)
    poses, goals, hazards = np.zeros((count, 3)), np.zeros((count, 2)), np.zeros((count, 2))
    # In whole blocks, as the simulator draws it.
    blocks = -(-settings.horizon // BLOCK) * BLOCK if std.any() else 0
    noise = np.zeros((count, settings.horizon, 2)) if blocks else None
    for slot in np.flatnonzero(mask).tolist():
        generator = robot_generator(int(seeds[slot]))
        layout = FIXED_LAYOUT if settings.layout == "fixed" else sample_layout(generator)
        pose = disturbances.start(0, generator, layout.pose)
        poses[slot] = _within_a_turn(pose)
        goals[slot], hazards[slot] = layout.goal, layout.hazard
        if noise is not None:
            noise[slot] = std * generator.standard_normal((blocks, 2))[: settings.horizon]
    tensors = [torch.from_numpy(one).to(device) for one in (poses, goals, hazards)]
    met = None if noise is None else torch.from_numpy(noise).to(device)
    return Starts(tensors[0], tensors[1], tensors[2], met)


def _within_a_turn(pose: Pose) -> Pose:
    x, y, heading = pose
    return x, y, math.remainder(heading, 2.0 * math.pi) if abs(heading) > math.pi else heading
