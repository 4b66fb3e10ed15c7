"""PPO's loss of a policy's rows, and its gradient with respect to the last layer."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sport_ray.families import Distribution
from sport_ray.families.gaussian.head import GaussianHead
from sport_ray.families.gaussian.surrogate import surrogate_gradient
from sport_ray.families.head import Head
from sport_ray.projected_ppo.cohort.cell import Cell


class PolicyRows(NamedTuple):
    """What the policy's loss needs of rows (n, …)."""

    actions: Tensor  # (n, D)
    logp: Tensor  # (n,), nats, as sampled
    advantages: Tensor  # (n,)


class PolicyLoss(NamedTuple):
    """Means over rows: −surrogate, entropy (nats), share of ratios outside the clip range."""

    surrogate: float
    entropy: float
    clipped: float


def paper_gradient(
    head: GaussianHead, output: Tensor, own: Tensor | None, rows: PolicyRows, cell: Cell,
    grad: Tensor, grad_own: Tensor | None,
) -> PolicyLoss:  # fmt: skip
    """The loss of outputs (n, J) on a CPU; writes the gradients (n, J) and (D,).

    The ratio's numerator is the unprojected task policy (arXiv 2504.06386); the rest is
    :func:`~sport_ray.families.gaussian.surrogate.surrogate_gradient`.
    """
    none = np.empty(0, dtype=np.float32)
    found = surrogate_gradient(
        head, output.numpy(), none if own is None else own.numpy(),
        rows.actions.numpy(), rows.logp.numpy(), rows.advantages.numpy(),
        cell.clip_param, cell.entropy_coeff,
        grad.numpy(), none if grad_own is None else grad_own.numpy(),
    )  # fmt: skip
    return PolicyLoss(*found)


def autograd_gradient(
    head: Head, output: Tensor, own: Tensor | None, rows: PolicyRows, cell: Cell,
    grad: Tensor, grad_own: Tensor | None, through: tuple[Tensor, Tensor | float] | None,
    old: Tensor | None = None,
) -> PolicyLoss:  # fmt: skip
    """As :func:`paper_gradient` by autograd, of any family, on any device.

    through: the base's numbers (n, P) and the limits of rows; then π is the projection of the
        head's law onto the cell's constraint. old: numbers (n, P) of the policy's laws when
        the batch was sampled, where the cell's objective has a loss of its own.
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = output.detach().clone().requires_grad_()
        leaf_own = None if own is None else own.detach().clone().requires_grad_()
        rows = PolicyRows(*(one.clone() for one in rows))
        parts = [] if leaf_own is None else [leaf_own]
        task = head.of_block(leaf, dict(zip(head.parameters, parts, strict=True)))
        law: Distribution = task
        if through is not None:
            base, limits = type(task).from_numbers(through[0]), through[1]
            law = cell.constraint.project(base, task, limits)
        now = law.learned_law(law.learned)
        ratio = torch.exp(now.log_prob(rows.actions) - rows.logp)
        low, high = 1.0 - cell.clip_param, 1.0 + cell.clip_param
        surrogate = None if cell.objective is None else cell.objective.surrogate
        if surrogate is None:
            kept = torch.min(rows.advantages * ratio, rows.advantages * ratio.clamp(low, high))
        else:
            assert old is not None
            before = type(task).from_numbers(old.clone())
            kept = -surrogate.losses(task, before, ratio, rows.advantages)
        entropy: Tensor = now.entropy()
        loss = (-kept - cell.entropy_coeff * entropy).mean()
        leaves = [leaf] if leaf_own is None else [leaf, leaf_own]
        found = torch.autograd.grad(loss, leaves)
    grad.copy_(found[0])  # where inference mode is on, its own tensors
    if grad_own is not None:
        grad_own.copy_(found[1])
    outside = ((ratio - 1.0).abs() > cell.clip_param).float()
    return PolicyLoss(*(one.detach().mean().item() for one in (-kept, entropy, outside)))
