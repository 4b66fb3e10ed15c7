"""PPO's loss of all cells' Gaussians at once, and its gradient at their networks' outputs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from sport_ray.families.gaussian.distribution import Gaussian
from sport_ray.families.gaussian.head import GaussianHead

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Rows(NamedTuple):
    """A minibatch of each cell, (K, B, …)."""

    actions: Tensor  # (K, B, D)
    logp: Tensor  # (K, B), nats, as sampled
    advantages: Tensor  # (K, B)


class Losses(NamedTuple):
    """Of each cell, (K,) float64: −surrogate, entropy (nats), share of ratios outside the clip."""

    surrogate: Tensor
    entropy: Tensor
    clipped: Tensor


class Gradients(NamedTuple):
    """Of each cell's mean loss: at the outputs (K, B, J), and at the head's own log stds."""

    output: Tensor
    own: Tensor | None  # (K, 1, D)


def paper_gradients(
    head: GaussianHead, output: Tensor, own: Tensor | None, rows: Rows, clip: Tensor, coeff: Tensor
) -> tuple[Losses, Gradients]:
    """As :func:`~sport_ray.projected_ppo.cohort.loss.paper_gradient`, for outputs (K, B, J).

    clip, coeff: (K, 1) float64. In float64 from the float32 numbers.
    """
    size, count = head.action_size, output.shape[1]
    mean = output[..., :size].double()
    raw = output[..., size : 2 * size].double() if own is None else own.double().expand_as(mean)
    if head.kind == "bounded":
        t = torch.tanh(raw)
        half = 0.5 * (head.high - head.low)
        log_std, slope = head.low + half * (t + 1.0), half * (1.0 - t * t)
    else:
        log_std = raw.clamp(head.low, head.high)
        slope = ((raw >= head.low) & (raw <= head.high)).double()
    inverse = torch.exp(-log_std)
    z = (rows.actions.double() - mean) * inverse
    now = (-0.5 * z * z - log_std - _HALF_LOG_2PI).sum(-1)
    ratio = torch.exp(now - rows.logp.double())
    a = rows.advantages.double()
    free, limited = a * ratio, a * torch.minimum(torch.maximum(ratio, 1.0 - clip), 1.0 + clip)
    # The clipped branch has no slope; where both are the same, the other one has all of it.
    by_logp = torch.where(free <= limited, free, 0.0)[..., None] * (-1.0 / count)
    to_mean = by_logp * z * inverse
    to_std = (by_logp * (z * z - 1.0) - coeff[..., None] / count) * slope
    losses = Losses(
        -torch.minimum(free, limited).mean(1),
        (log_std + (0.5 + _HALF_LOG_2PI)).sum(-1).mean(1),
        ((ratio - 1.0).abs() > clip).double().mean(1),
    )
    if own is not None:
        return losses, Gradients(to_mean, to_std.sum(1, keepdim=True))
    return losses, Gradients(torch.cat([to_mean, to_std], dim=-1), None)


def projected_gradients(
    head: GaussianHead, output: Tensor, own: Tensor | None, rows: Rows, clip: Tensor, coeff: Tensor,
    base: tuple[Tensor, Tensor], limits: Tensor, free: Tensor,
) -> tuple[Losses, Gradients]:  # fmt: skip
    """As :func:`paper_gradients` where π is the projection of the head's Gaussian, by autograd.

    base: means and stds (K, B, D); limits: (K,) nats; free: (K,) bool, cells that are not
    projected.
    """
    leaf = output.detach().requires_grad_()
    leaf_own = None if own is None else own.detach().requires_grad_()
    count, size = output.shape[1], head.action_size
    with torch.enable_grad():
        task = head.of_block(leaf, {} if leaf_own is None else {"log_std": leaf_own})
        flat = Gaussian(task.mean.reshape(-1, size), task.std.reshape(-1, size))
        under = Gaussian(base[0].reshape(-1, size), base[1].reshape(-1, size))
        found = flat.projected(under, limits.repeat_interleave(count))
        loose = free[:, None, None]
        mean = torch.where(loose, task.mean, found.mean.view_as(task.mean))
        std = torch.where(loose, task.std, found.std.view_as(task.std))
        law = Gaussian(mean, std)
        ratio = torch.exp(law.log_prob(rows.actions) - rows.logp)
        low, high = (1.0 - clip).float(), (1.0 + clip).float()
        limited = torch.minimum(torch.maximum(ratio, low), high)
        kept = torch.minimum(rows.advantages * ratio, rows.advantages * limited)
        entropy = (torch.log(std) + (0.5 + _HALF_LOG_2PI)).sum(-1)
        loss = (-kept - coeff.float() * entropy).mean(1).sum()
    leaves = [leaf] if leaf_own is None else [leaf, leaf_own]
    grads = torch.autograd.grad(loss, leaves)
    outside = ((ratio - 1.0).abs() > clip).double()
    means = (one.detach().double().mean(1) for one in (-kept, entropy, outside))
    return Losses(*means), Gradients(grads[0], grads[1] if leaf_own is not None else None)
