"""PPO's loss of a Gaussian policy's rows, and its gradient with respect to the last layer."""

# mypy: allow-untyped-defs

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sport_ray.compiled import njit
from sport_ray.families import Distribution
from sport_ray.families.gaussian.head import GaussianHead
from sport_ray.projected_ppo.cohort.cell import Cell

_KINDS = ("bounded", "clamped", "constant")


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

        mean over rows of −min(A r, A clip(r, 1 ± ε)) − c·entropy,   r = π(a|s)/π_old(a|s)

    with π the head's Gaussian as it is. Computed in float64 from the float32 numbers.
    """
    none = np.empty(0, dtype=np.float32)
    found = _paper(
        output.numpy(),
        none if own is None else own.numpy(),
        _KINDS.index(head.kind), head.low, head.high,
        rows.actions.numpy(), rows.logp.numpy(), rows.advantages.numpy(),
        cell.clip_param, cell.entropy_coeff,
        grad.numpy(), none if grad_own is None else grad_own.numpy(),
    )  # fmt: skip
    return PolicyLoss(*found)


def autograd_gradient(
    head: GaussianHead, output: Tensor, own: Tensor | None, rows: PolicyRows, cell: Cell,
    grad: Tensor, grad_own: Tensor | None, through: tuple[Tensor, Tensor | float] | None,
) -> PolicyLoss:  # fmt: skip
    """As :func:`paper_gradient` by autograd, on any device.

    through: the base's parameters (n, P) and the limits of rows; then π is the projection of the
        head's Gaussian onto the cell's constraint.
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaf = output.detach().clone().requires_grad_()
        leaf_own = None if own is None else own.detach().clone().requires_grad_()
        rows = PolicyRows(*(one.clone() for one in rows))
        task = head.of_block(leaf, {} if leaf_own is None else {"log_std": leaf_own})
        law: Distribution = task
        if through is not None:
            base, limits = type(task).from_parameters(through[0]), through[1]
            law = cell.constraint.project(base, task, limits)
        now = law.torch_distribution()
        ratio = torch.exp(now.log_prob(rows.actions) - rows.logp)
        low, high = 1.0 - cell.clip_param, 1.0 + cell.clip_param
        kept = torch.min(rows.advantages * ratio, rows.advantages * ratio.clamp(low, high))
        entropy: Tensor = now.entropy()
        loss = (-kept - cell.entropy_coeff * entropy).mean()
        leaves = [leaf] if leaf_own is None else [leaf, leaf_own]
        found = torch.autograd.grad(loss, leaves)
        grad.copy_(found[0])
        if grad_own is not None:
            grad_own.copy_(found[1])
    outside = ((ratio - 1.0).abs() > cell.clip_param).float()
    return PolicyLoss(*(one.detach().mean().item() for one in (-kept, entropy, outside)))


@njit(nogil=True, error_model="numpy")
def _paper(output, own, kind, low, high, actions, logp, advantages, clip, coeff, grad, grad_own):
    rows, size = actions.shape
    half = 0.5 * (high - low)
    width = output.shape[1]
    mean_surrogate = 0.0
    mean_entropy = 0.0
    outside = 0
    own_total = np.zeros(size)
    log_std = np.empty(size)
    slope = np.empty(size)
    z = np.empty(size)
    for k in range(rows):
        now = 0.0
        entropy = 0.0
        for i in range(size):
            raw = np.float64(own[i]) if kind == 2 else np.float64(output[k, size + i])
            if kind == 0:
                t = math.tanh(raw)
                log_std[i] = low + half * (t + 1.0)
                slope[i] = half * (1.0 - t * t)
            else:
                log_std[i] = min(max(raw, low), high)
                slope[i] = 1.0 if low <= raw <= high else 0.0
            z[i] = (np.float64(actions[k, i]) - np.float64(output[k, i])) / math.exp(log_std[i])
            now += -0.5 * z[i] * z[i] - log_std[i] - 0.9189385332046727
            entropy += 1.4189385332046727 + log_std[i]
        ratio = math.exp(now - np.float64(logp[k]))
        a = np.float64(advantages[k])
        limited = min(max(ratio, 1.0 - clip), 1.0 + clip)
        mean_surrogate += min(a * ratio, a * limited)
        mean_entropy += entropy
        if abs(ratio - 1.0) > clip:
            outside += 1
        # The clipped branch has no slope; where both are the same, the other one has all of it.
        by_logp = -a * ratio / rows if a * ratio <= a * limited else 0.0
        for i in range(size):
            grad[k, i] = by_logp * z[i] / math.exp(log_std[i])
            by_std = (by_logp * (z[i] * z[i] - 1.0) - coeff / rows) * slope[i]
            if kind == 2:
                own_total[i] += by_std
            else:
                grad[k, size + i] = by_std
        for j in range(size if kind == 2 else 2 * size, width):
            grad[k, j] = 0.0
    for i in range(grad_own.shape[0]):
        grad_own[i] = own_total[i]
    return -mean_surrogate / rows, mean_entropy / rows, outside / rows
