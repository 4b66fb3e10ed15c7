"""project_kl: the minimum by 60-digit duality, exact at the ends, independent of batching."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.families.gaussian.projection import kl_divergence, max_log_ratio, project_kl

INF, NAN = math.inf, math.nan


def tensors(arrays, dtype=torch.float64):
    return [torch.as_tensor(np.array(x), dtype=dtype) for x in arrays]


@pytest.mark.parametrize("kind", ["ordinary", "hostile", "far base", "close"])
@pytest.mark.parametrize(("dims", "count"), [(1, 40), (2, 30), (3, 15), (10, 4), (64, 1)])
def test_kl_is_the_minimum(kind, dims, count, problems, reference, kl_of, ratio_of):
    """Within 1e-9 (relative) or 1e-15 nats, where float64 cannot express the task's distance."""
    given_ = problems(kind, count, dims, np.random.default_rng(dims))
    mean, std = (x.numpy() for x in project_kl(*tensors(given_)))
    binding = 0
    for k in range(count):
        m, s, mt, sd, c = (x[k] for x in given_)
        best = reference(m, s, mt, sd, c)
        binding += best.multiplier > 0
        excess = kl_of(mean[k], std[k], mt, sd) - best.minimum
        assert excess <= max(1e-9 * best.minimum, 1e-15), (m, s, mt, sd, c)
        if best.multiplier > 0:
            assert ratio_of(mean[k], std[k], m, s) <= c
    assert binding > 0


def test_a_known_answer():
    """D = 0, t < 1: only the std moves, to log(s / std) = log_alpha."""
    mean, std = project_kl(*tensors(([0.3], [2.0], [0.3], [0.1])), math.log(4.0))
    assert mean.item() == 0.3
    assert std.item() == pytest.approx(0.5, rel=1e-14)
    assert std.item() >= 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_feasible_tasks_come_back_bit_for_bit(dtype, problems):
    m, s, mt, sd, c = problems("ordinary", 3000, 2, np.random.default_rng(0))
    sd = s * np.random.default_rng(1).uniform(0.5, 1.0, s.shape)
    inputs = tensors((m, s, m + 0.2 * (mt - m), sd), dtype)
    limit = max_log_ratio(inputs[2], inputs[3], inputs[0], inputs[1])
    limit = torch.where(torch.isfinite(limit), limit, torch.as_tensor(c))
    mean, std = project_kl(*inputs, limit)
    assert torch.isfinite(limit).all()
    assert torch.equal(mean, inputs[2])
    assert torch.equal(std, inputs[3])
    # one ulp less, and it is no longer feasible
    less = torch.nextafter(limit, torch.zeros_like(limit))
    mean, std = project_kl(*inputs, less)
    assert (max_log_ratio(mean, std, *inputs[:2]) <= less).all()
    assert ((mean != inputs[2]) | (std != inputs[3])).any(-1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["ordinary", "hostile"])
def test_log_alpha_zero_is_the_base(dtype, kind, problems):
    inputs = tensors(problems(kind, 500, 3, np.random.default_rng(5))[:4], dtype)
    mean, std = project_kl(*inputs, 0.0)
    assert torch.equal(mean, inputs[0])
    assert torch.equal(std, inputs[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_projecting_twice_changes_nothing(dtype, problems):
    inputs = tensors(problems("hostile", 2000, 2, np.random.default_rng(3)), dtype)
    limit = inputs.pop()
    once = project_kl(*inputs, limit)
    twice = project_kl(*inputs[:2], *once, limit)
    assert torch.equal(once[0], twice[0])
    assert torch.equal(once[1], twice[1])


def test_rows_do_not_depend_on_their_company(problems):
    inputs = tensors(problems("hostile", 300, 3, np.random.default_rng(4)))
    mean, std = project_kl(*inputs)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    shuffled = project_kl(*(x[order] for x in inputs))
    assert torch.equal(shuffled[0], mean[order])
    assert torch.equal(shuffled[1], std[order])
    for k in range(0, 300, 17):
        one = project_kl(*(x[k] for x in inputs))
        assert torch.equal(one[0], mean[k])
        assert torch.equal(one[1], std[k])


def test_a_wider_task_with_the_base_mean_keeps_the_base_std():
    """No multiplier there: the other dimension is feasible and stays as it is."""
    base = tensors(([0.0, 0.0], [1.0, 1.0]))
    mean, std = project_kl(*base, *tensors(([0.0, 0.1], [2.0, 0.9])), 0.2)
    assert mean.tolist() == [0.0, 0.1]
    assert std.tolist() == [1.0, 0.9]


def test_shapes_broadcast_and_dtypes_promote():
    m, s = torch.zeros(3), torch.ones(3)
    task = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1))
    mean, std = project_kl(m, s, task, 2.0 * s, torch.linspace(0.1, 1.0, 5))
    assert mean.shape == std.shape == (4, 5, 3)
    assert mean.dtype == std.dtype == torch.float32
    each = project_kl(m, s, task[2, 3], 2.0 * s, float(torch.linspace(0.1, 1.0, 5)[3]))
    assert torch.equal(mean[2, 3], each[0])
    assert torch.equal(std[2, 3], each[1])
    mean, std = project_kl(m.double(), s, task, s, 0.1)
    assert mean.dtype == std.dtype == torch.float64
    assert project_kl(m, s, task[:0, 0], s, 0.1)[0].shape == (0, 3)


@pytest.mark.parametrize(
    ("name", "index", "bad"),
    [
        ("mean_base", (1, 2), NAN),
        ("std_base", (0, 1), 0.0),
        ("std_base", (0, 1), INF),
        ("mean_task", (1, 0), -INF),
        ("std_task", (1, 2), -1.0),
        ("std_task", (0, 0), NAN),
        ("log_alpha", (1,), -1e-9),
        ("log_alpha", (1,), NAN),
        ("log_alpha", (0,), INF),
    ],
)
def test_bad_numbers_are_named(name, index, bad):
    arguments = {
        "mean_base": torch.zeros(2, 3),
        "std_base": torch.ones(2, 3),
        "mean_task": torch.zeros(2, 3),
        "std_task": torch.ones(2, 3),
        "log_alpha": torch.full((2,), 0.5, dtype=torch.float64),
    }
    arguments[name][index] = bad
    with pytest.raises(ValueError, match=rf"^{name} must be finite") as error:
        project_kl(**arguments)
    assert f"index {index}" in str(error.value)


def test_bad_log_alpha_dtype_and_gradient_are_named():
    one = torch.ones(2)
    with pytest.raises(ValueError, match=r"log_alpha must be finite and >= 0, got -0.5"):
        project_kl(one, one, one, one, -0.5)
    with pytest.raises(ValueError, match=r"float32 or float64 tensors, got torch\.float16"):
        project_kl(one, one, one.half(), one, 0.5)
    with pytest.raises(ValueError, match=r"log_alpha of shape \(3,\) does not broadcast"):
        project_kl(one, one, one, one, torch.ones(3))
    with pytest.raises(ValueError, match="mean_base requires a gradient"):
        project_kl(one.clone().requires_grad_(), one, one, one, 0.5)


def test_max_log_ratio_agrees_with_60_digits(problems, ratio_of):
    m, s, *_ = problems("hostile", 200, 3, np.random.default_rng(8))
    rng = np.random.default_rng(9)
    std = s * (1 - 10 ** rng.uniform(-15, -0.1, s.shape))
    mean = m + (s - std) * rng.normal(size=s.shape)
    ratio = max_log_ratio(*tensors((mean, std, m, s)))
    assert ratio.dtype == torch.float64
    for k in range(200):
        exact = ratio_of(mean[k], std[k], m[k], s[k])
        assert abs(ratio[k].item() - exact) <= 4e-15 * exact


def test_max_log_ratio_is_infinite_where_the_density_ratio_is():
    mean, std = torch.zeros(4, 2), torch.ones(4, 2)
    std[1, 0] = 1.0000001
    mean[2, 1] = 1e-30
    std[3, 1] = 0.5
    ratio = max_log_ratio(mean, std, torch.zeros(2), torch.ones(2)).tolist()
    assert ratio == [0.0, INF, INF, pytest.approx(math.log(2.0), rel=1e-15)]
    with pytest.raises(ValueError, match=r"^std must be finite and > 0.*\(0, 1\)"):
        max_log_ratio(mean, std * torch.tensor([1.0, NAN]), mean, std)


@settings(max_examples=200, deadline=None)
@given(st.floats(-3.0, 3.0), st.floats(0.05, 20.0), st.floats(-3.0, 3.0), st.floats(0.05, 20.0))
def test_kl_divergence_agrees_with_torch(mean, std, mean_task, std_task):
    ours = kl_divergence(*tensors(([mean], [std], [mean_task], [std_task])))
    normal = torch.distributions.Normal
    theirs = torch.distributions.kl_divergence(
        normal(*tensors((mean, std))), normal(*tensors((mean_task, std_task)))
    )
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-11, abs=1e-14)


def test_small_kl_divergences_keep_their_digits(kl_of):
    for step in (1e-12, 1e-7, 1e-4, 4.9e-4, 5.1e-4, 1e-2):
        case = ([0.5], [2.0 * (1 + step)], [0.5], [2.0])
        assert kl_divergence(*tensors(case)).item() == pytest.approx(float(kl_of(*case)), rel=1e-9)
