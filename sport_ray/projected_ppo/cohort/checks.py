"""The checks of a training batch: every number finite, every stored ratio within its limit."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from ray.rllib.core.columns import Columns
from torch import Tensor

from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.families import Distribution
from sport_ray.projected_ppo.module import POLICY_INPUTS


def checked(
    columns: Mapping[str, Tensor],
    constraint: Constraint,
    family: type[Distribution],
    limits: Tensor | float,
) -> dict[str, float]:
    """How far base, projected and task policy are apart in the rows of a batch.

    Columns: ``action_dist_inputs`` (n, P) and, under a constraint, ``policy_inputs`` (n, 2P).

    Raises:
        ArithmeticError: a stored ratio above the limit, a stored number that is not finite.
    """
    for name, column in columns.items():
        if column.is_floating_point() and not torch.isfinite(column).all():
            raise ArithmeticError(f"the training batch's {name} are not all finite")
    if isinstance(constraint, Unconstrained):
        return {}
    step = family.from_parameters(columns[Columns.ACTION_DIST_INPUTS])
    base, task = map(family.from_parameters, columns[POLICY_INPUTS].chunk(2, dim=-1))
    log_ratio = step.max_log_ratio(base)
    within = constraint.within(step, base, limits)
    if not bool(within.all()):
        raise ArithmeticError(
            f"a stored action distribution has log ratio {log_ratio[~within][0].item()} "
            f"nats, outside the limit of the constraint {constraint.to_json()}: it "
            "was not sampled as projected"
        )
    return {
        "max_log_ratio": log_ratio.max().item(),
        "projected_share": step.differs(task).float().mean().item(),
        "mean_log_ratio": log_ratio.mean().item(),
        "kl_to_base": step.kl(base).mean().item(),
        "task_distance": step.kl(task).mean().item(),
    }
