"""Which cohorts go in lockstep on their learner's device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sport_ray.errors import UserError
from sport_ray.projected_ppo.cohort.device.cohort import DeviceCohort
from sport_ray.projected_ppo.cohort.device.plan import Plan, why_not_together

if TYPE_CHECKING:
    from sport_ray.projected_ppo.cohort.config import ProjectedPPOCohortConfig


def lockstep_of(config: ProjectedPPOCohortConfig, device: torch.device) -> DeviceCohort | None:
    """The cohort on the learner's device; None where its cells learn one after another.

    Raises:
        UserError: ``lockstep=True`` of cells that cannot.
    """
    wanted = device.type == "cuda" if config.lockstep is None else config.lockstep
    if not wanted:
        return None
    reason = why_not_together(config, [cell.constraint for cell in config.cohort])
    if reason is None:
        return DeviceCohort(config.cohort, Plan.of(config), config.base, device)
    if config.lockstep:
        raise UserError(f"these cells cannot go in lockstep: {reason}; leave lockstep=None")
    return None
