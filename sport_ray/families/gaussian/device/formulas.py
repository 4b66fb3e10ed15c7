"""Closed forms on a device's tensors: the max log ratio, the derivative, the projection of shifts.

The same formulas as the compiled ones (kernels.py, gradient.py, mean_shift.py), in float64 torch
operations, so that they run wherever torch does. A max log ratio from here is a second evaluation
of what the kernel promised, written apart from it.
"""

from __future__ import annotations

import torch
from torch import Tensor

_U = 2.0**-53


def max_log_ratio(mean: Tensor, std: Tensor, mean_base: Tensor, std_base: Tensor) -> Tensor:
    """Σ_i log(std_base/std) + (mean − mean_base)²/(2 (std_base² − std²)), nats, float64 (...).

    kernels.log_ratio_term; NaN where a mean is not finite or a std not finite and > 0.
    """
    mean, std, m, s = (x.double() for x in (mean, std, mean_base, std_base))
    gap = s - std
    near = gap < std
    log_part = torch.where(near, torch.log1p(gap / std), torch.log(s / std))
    offset = mean - m
    term = log_part + 0.5 * (offset / gap) * (offset / s) / (1.0 + std / s)
    same = (std == s) & (mean == m)
    outside = torch.where(same, 0.0, torch.inf)
    found = torch.where(std >= s, outside, term).sum(-1)
    return torch.where(usable(mean, std, m, s), found, torch.nan)


def usable(mean: Tensor, std: Tensor, mean_base: Tensor, std_base: Tensor) -> Tensor:
    """Whether the rows' means are finite and their stds finite and > 0, bool (...)."""
    good = torch.isfinite(mean) & torch.isfinite(mean_base)
    for one in (std, std_base):
        good = good & (one > 0.0) & (one < torch.inf)
    return good.all(-1)


def pull_back(
    rows: tuple[Tensor, ...], lam: Tensor, w: Tensor, grad_mean: Tensor, grad_std: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient with respect to (mean_task, std_task), float64 (N, D): gradient.pull_back.

    rows: mean_base, std_base, mean_task, std_task (N, D); lam (N,), w (N, D) of the solution.
    """
    m, s, mt, st = (x.double() for x in rows)
    grad_mean, grad_std = grad_mean.double(), grad_std.double()
    lam = lam[:, None]
    moves = (lam > 0.0) & (w > 0.0)
    one = torch.ones((), dtype=torch.float64, device=w.device)
    # Numbers that do no harm where nothing moves: a NaN there would spoil the sums.
    lam_, w_ = torch.where(lam > 0.0, lam, one), torch.where(moves, w, one)
    d, t = (mt - m) / s, st / s
    b = w_ / (1.0 + w_)
    lt2 = lam_ * t * t
    q = b + lt2
    e = d / q
    by_lam = (1.0 + w_) - e * e * ((b - lt2) / q)
    by_b = (1.0 + lam_) * (1.0 + w_) * (1.0 + w_) + 2.0 * lam_ * (e * e / q)
    up = s * (grad_mean * e * (lt2 / q) - 0.5 * grad_std * torch.sqrt(1.0 + w_))
    up_lam = -s * grad_mean * e * (b / q) * t * t - up * (by_lam / by_b)
    g_lam = -e * e * (b / q) * t * t - 0.5 * by_lam * (by_lam / by_b)
    up_lam = torch.where(moves, up_lam, 0.0).sum(-1, keepdim=True)
    g_lam = torch.where(moves, g_lam, 0.0).sum(-1, keepdim=True)
    half = 0.5 * by_lam / by_b
    # d: Phi_d = −2 lam d/q², delta_d = B/q, g_d = d B/q²
    phi = -2.0 * lam_ * (e / q)
    lam_x = -(e * (b / q) - half * phi) / g_lam
    to_mean = (s * grad_mean * (b / q) - up * (phi / by_b) + up_lam * lam_x) / s
    # t: Phi_t = 2/t³ + 4 lam² d² t/q³, delta_t = −2 lam t d B/q²
    phi = 2.0 / (t * t * t) + 4.0 * lam_ * e * e * (lt2 / q) / t
    lam_x = -(-2.0 * e * e * (b / q) * lam_ * t - half * phi) / g_lam
    explicit = -2.0 * s * grad_mean * e * (b / q) * lam_ * t
    to_std = (explicit - up * (phi / by_b) + up_lam * lam_x) / s
    # Inside: the task itself, but for dimensions wider than the base.
    free = lam == 0.0
    free_mean, free_std = grad_mean * w, torch.where(st <= s, grad_std, 0.0)
    return (
        torch.where(free, free_mean, torch.where(moves, to_mean, 0.0)),
        torch.where(free, free_std, torch.where(moves, to_std, 0.0)),
    )


def project_mean_shift(
    mean_base: Tensor, std_base: Tensor, mean_task: Tensor, radius: Tensor
) -> Tensor:
    """Means with ‖(mean − mean_base)/std_base‖ ≤ radius, in the inputs' dtype: mean_shift.

    (N, D), one dtype; radius (N,) or (1,), float64. NaN where an argument is bad.
    """
    m, s, mt = (x.double() for x in (mean_base, std_base, mean_task))
    r = radius.expand(m.shape[0])
    dims = m.shape[-1]
    length = _length(mt, m, s)
    inside = r * (1.0 - (4.0 * dims + 32.0) * _U)
    offset = (inside / length)[:, None] * (mt - m)
    new = (m + offset).to(mean_base.dtype)
    # towards the base, never past it
    far = (new.double() - m).abs() > offset.abs()
    new = torch.where(far, torch.nextafter(new, mean_base), new)
    kept = _length(new.double(), m, s) <= inside * (1.0 + 16.0 * _U)  # False for NaN
    new = torch.where(kept[:, None], new, mean_base)
    new = torch.where((length <= r)[:, None], mean_task, new)
    good = usable(mt, s, m, s) & (r >= 0.0) & (r < torch.inf)
    return torch.where(good[:, None], new, torch.nan)


def _length(mean: Tensor, m: Tensor, s: Tensor) -> Tensor:
    """Euclidean norm of (mean − m)/s, scaled against overflow; within (D + 8) u of exact."""
    x = (mean - m) / s
    top = x.abs().amax(-1)
    scaled = top * (x / top[:, None]).square().sum(-1).sqrt()
    return torch.where((top == 0.0) | (top == torch.inf), top, scaled)
