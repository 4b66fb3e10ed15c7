"""Which cohorts go in lockstep on their learner's device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from sport_ray.errors import UserError
from sport_ray.projected_ppo.cohort.cell import Cell
from sport_ray.projected_ppo.cohort.device.cohort import DeviceCohort
from sport_ray.projected_ppo.cohort.device.plan import Plan, why_not_together

if TYPE_CHECKING:
    from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig


def lockstep_of(
    config: ProjectedPPOConfig,
    cells: Sequence[Cell],
    device: torch.device,
    wanted: bool | None,
) -> DeviceCohort | None:
    """The cells on the learner's device; None where they learn one after another.

    config: what the cells share. wanted: None means on a GPU, and only where they can.

    Raises:
        UserError: wanted of cells that cannot.
    """
    if not (device.type == "cuda" if wanted is None else wanted):
        return None
    reason = why_not_together(config, [cell.constraint for cell in cells])
    if reason is None:
        return DeviceCohort(cells, Plan.of(config), config.base, device)
    if wanted:
        raise UserError(f"these cells cannot go in lockstep: {reason}; leave lockstep=None")
    return None
