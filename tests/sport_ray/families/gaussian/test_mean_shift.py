"""project_mean_shift: the closed form, and never outside the ball in either dtype."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from sport_ray.families.gaussian.mean_shift import project_mean_shift


def problem(count, dims, seed, dtype):
    rng = np.random.default_rng(seed)
    s = 10 ** rng.uniform(-3, 3, (count, dims))
    m = s * rng.normal(size=(count, dims)) * 10 ** rng.uniform(-2, 6, (count, 1))
    m[::3] = 0.0
    task = m + s * rng.normal(size=s.shape) * 10 ** rng.uniform(-6, 6, s.shape)
    length = np.linalg.norm((task - m) / s, axis=-1)
    radius = torch.as_tensor(length * 10 ** rng.uniform(-9, 1, count))
    return *(torch.as_tensor(x, dtype=dtype) for x in (m, s, task)), radius


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dims", [1, 2, 17])
def test_the_exact_sum_is_inside(dims, dtype):
    """Judged in rational arithmetic on the returned numbers, and in float64."""
    m, s, task, radius = problem(400, dims, dims, dtype)
    mean, std = project_mean_shift(m, s, task, radius)
    assert torch.equal(std, s)
    assert mean.dtype == dtype
    shift = (mean.double() - m.double()) / s.double()
    changed = (mean != task).any(-1)
    assert changed.any()
    assert not changed.all()
    assert (shift.square().sum(-1) <= radius.square())[changed].all()
    for k in torch.nonzero(changed).flatten().tolist():
        exact = sum(
            ((Fraction(a) - Fraction(b)) / Fraction(c)) ** 2
            for a, b, c in zip(mean[k].tolist(), m[k].tolist(), s[k].tolist(), strict=True)
        )
        assert exact <= Fraction(radius[k].item()) ** 2


def test_closed_form():
    m, s = torch.tensor([1.0, -1.0]).double(), torch.tensor([1.0, 2.0]).double()
    task = m + s * torch.tensor([3.0, 4.0]).double()
    mean, _ = project_mean_shift(m, s, task, 2.5)
    torch.testing.assert_close(mean, m + s * torch.tensor([1.5, 2.0]).double(), rtol=1e-14, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_feasible_tasks_and_radius_zero_bit_for_bit(dtype):
    m, s, task, _ = problem(200, 3, 0, dtype)
    far = ((task.double() - m.double()) / s.double()).norm(dim=-1) * (1 + 1e-12)
    assert torch.equal(project_mean_shift(m, s, task, far)[0], task)
    assert torch.equal(project_mean_shift(m, s, task, 0.0)[0], m)


def test_overflowing_offsets_end_at_the_base():
    m = torch.tensor([-1e308, 0.0], dtype=torch.float64)
    mean, _ = project_mean_shift(m, torch.ones(2).double(), -m, 1.0)
    assert torch.equal(mean, m)


def test_bad_arguments_are_named():
    one = torch.ones(2, 2)
    for radius in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=r"^radius must be finite and >= 0"):
            project_mean_shift(one, one, one, radius)
    with pytest.raises(ValueError, match=r"^std_base must be finite and > 0.*\(0, 1\)"):
        project_mean_shift(one, one * torch.tensor([1.0, 0.0]), one, 1.0)
    with pytest.raises(ValueError, match=r"^mean_task must be finite.*\(0, 0\)"):
        project_mean_shift(one, one, one * math.nan, 1.0)
    with pytest.raises(ValueError, match="float32 or float64"):
        project_mean_shift(one.half(), one, one, 1.0)
