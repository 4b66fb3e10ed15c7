"""Where robots' episodes start, and the noise that they will meet: all that is random in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sport_ray.envs.disturbances import BLOCK, moved_starts
from sport_ray.envs.layouts import FIXED_LAYOUT, robot_generator, sample_layouts, within_a_turn
from sport_ray.envs.settings import RobotSettings
from sport_ray.streams import normal_rows


class Starts(NamedTuple):
    """Poses (n or 1, 3), centres (n or 1, 2) and noise (n, H, 2); rows of other slots are zeros."""

    poses: Tensor
    goals: Tensor
    hazards: Tensor
    noise: Tensor | None


def fixed_start(settings: RobotSettings, device: torch.device) -> Starts:
    """The start of every episode, where nothing is random."""
    pose = within_a_turn(moved_starts(settings, (), np.array(FIXED_LAYOUT.pose)))
    poses, goals, hazards = (
        torch.tensor(one, dtype=torch.float64, device=device)
        for one in (pose, [FIXED_LAYOUT.goal], [FIXED_LAYOUT.hazard])
    )
    return Starts(poses, goals, hazards, None)


def robot_starts(settings: RobotSettings, mask: Tensor, seeds: Tensor) -> Starts:
    """The starts of the episodes that ``seeds`` (n,) int64 name, in the slots of ``mask`` (n,).

    Each draws from the generator of its own seed, on the host, in the order in which the simulator
    draws: the numbers are the same to the bit.
    """
    generators = [robot_generator(seed) for seed in seeds[mask].cpu().tolist()]
    return starts_from(settings, mask, generators)


def is_random(settings: RobotSettings) -> bool:
    """Whether anything in an episode is drawn."""
    noise = np.concatenate([settings.start_noise, settings.actuation_noise])
    return settings.layout == "random" or bool(noise.any())


def starts_from(
    settings: RobotSettings, mask: Tensor, generators: Sequence[np.random.Generator]
) -> Starts:
    """The starts in the slots of ``mask`` (n,), each drawn from its own generator, (m,) in all."""
    slots, count = np.flatnonzero(mask.cpu().numpy()), len(mask)
    drawn = FIXED_LAYOUT if settings.layout == "fixed" else sample_layouts(generators)
    poses, goals, hazards = np.zeros((count, 3)), np.zeros((count, 2)), np.zeros((count, 2))
    poses[slots] = within_a_turn(moved_starts(settings, generators, np.asarray(drawn.pose)))
    goals[slots], hazards[slots] = drawn.goal, drawn.hazard
    tensors = [torch.from_numpy(one).to(mask.device) for one in (poses, goals, hazards)]
    met = None
    if any(settings.actuation_noise):  # type: ignore[arg-type]
        steps = -(-settings.horizon // BLOCK) * BLOCK  # in whole blocks, as the simulator draws it
        numbers = normal_rows(generators, 2 * steps).reshape(len(slots), steps, 2)
        noise = np.zeros((count, settings.horizon, 2))
        noise[slots] = np.array(settings.actuation_noise) * numbers[:, : settings.horizon]
        met = torch.from_numpy(noise).to(mask.device)
    return Starts(tensors[0], tensors[1], tensors[2], met)
