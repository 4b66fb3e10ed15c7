"""First derivatives with respect to log weights, in closed form.

Among the free entries F of a projection, p_j = R w_j / Σ_F w with R what the others leave, so

    Σ_j g_j ∂p_j/∂log w_i = p_i (g_i − Σ_F g_j p_j / Σ_F p_j)  for i in F, else 0.

Rounding onto the grid is the same with every entry free. At a kink the derivative is one-sided.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def pull_back(found: Tensor, free: Tensor, grad: Tensor) -> Tensor:
    """The gradient with respect to the log weights, (..., n)."""
    share = torch.where(free, found, 0.0)
    whole = share.sum(-1, keepdim=True)
    mean = (share * grad).sum(-1, keepdim=True) / torch.where(whole > 0.0, whole, 1.0)
    return share * (grad - mean)


class Projected(torch.autograd.Function):
    """The projection, differentiable in its log weights."""

    @staticmethod
    def forward(
        ctx: Any,
        log_weights: Tensor,
        task: Tensor,
        base: Tensor,
        limit: Any,
        floor: Any,
        project: Callable[..., Any],
    ) -> Tensor:
        found, free = (
            torch.from_numpy(x).to(log_weights.device)
            for x in project(log_weights, task, base, limit, floor)
        )
        ctx.save_for_backward(found, free)
        ctx.given = log_weights.shape
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        found, free = ctx.saved_tensors
        back = pull_back(found, free, grad).sum_to_size(ctx.given)
        return back, None, None, None, None, None


class Rounded(torch.autograd.Function):
    """Weights on the grid, differentiable as the softmax that they stand for."""

    @staticmethod
    def forward(ctx: Any, log_weights: Tensor, to_grid: Callable[..., Any]) -> Tensor:
        found = torch.from_numpy(to_grid(log_weights)).to(log_weights.device)
        ctx.save_for_backward(found)
        ctx.dtype = log_weights.dtype
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:
        (found,) = ctx.saved_tensors
        everything = torch.ones_like(found, dtype=torch.bool)
        return pull_back(found, everything, grad).to(ctx.dtype), None
