"""The checks of a training batch: every number finite, every stored ratio within its limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    came_from: Callable[[Tensor], tuple[Distribution, Distribution]],
    features: Tensor,
) -> dict[str, Tensor]:
    """How far base, projected and task policy are apart in the rows of a batch, () each.

    Columns: ``action_dist_inputs`` (n, P) and, under a constraint, ``policy_inputs`` (n, 2P), of
    which ``came_from`` makes the base's and the task's distributions. features (n, F): what the
    constraint adds to observations. Also told, where these say it: what is left of a budget.

    Raises:
        ArithmeticError: a stored ratio above the limit, a stored number that is not finite.
    """
    for name, column in columns.items():
        if column.is_floating_point() and not torch.isfinite(column).all():
            raise ArithmeticError(f"the training batch's {name} are not all finite")
    if isinstance(constraint, Unconstrained):
        return {}
    step = family.from_parameters(columns[Columns.ACTION_DIST_INPUTS])
    base, task = came_from(columns[POLICY_INPUTS])
    log_ratio = step.max_log_ratio(base)
    within = constraint.within(step, base, constraint.feature_limits(features))
    if not bool(within.all()):
        raise ArithmeticError(
            f"a stored action distribution has log ratio {log_ratio[~within][0].item()} "
            f"nats, outside the limit of the constraint {constraint.to_json()}: it "
            "was not sampled as projected"
        )
    left = constraint.share_left(features)
    return {
        **({} if left is None else {"budget_left": left.mean()}),
        "max_log_ratio": log_ratio.max(),
        "projected_share": step.differs(task).float().mean(),
        "mean_log_ratio": log_ratio.mean(),
        "kl_to_base": step.kl(base).mean(),
        "task_distance": step.kl(task).mean(),
    }
