"""The implicit derivative against finite differences of the projection itself, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sport_ray.families.gaussian.projection import max_log_ratio, project_kl

# The square of a smaller shift is 0 in float64: its row may then have another gradient.
SHIFTS = st.floats(-3, 3).map(lambda d: d if abs(d) > 1e-100 else 0.0)
TASKS = st.lists(
    st.tuples(st.floats(-1, 1), st.floats(0.3, 3), SHIFTS, st.floats(-1.5, 1.5)),
    min_size=1,
    max_size=5,
)


def jacobian(m, s, mt, sd, c):
    """(2D, 2D) derivative of (mean, std) with respect to (mean_task, std_task)."""

    def both(task_mean, task_std):
        return torch.cat(project_kl(m, s, task_mean, task_std, c))

    return torch.cat(torch.autograd.functional.jacobian(both, (mt, sd)), dim=1)


def difference(m, s, mt, sd, c, column, step):
    """One column of the same by a central difference of fourth order."""
    task = torch.cat((mt, sd))
    dims = len(mt)

    def at(k):
        x = task.clone()
        x[column] += k * step
        return torch.cat(project_kl(m, s, x[:dims], x[dims:], c))

    return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)


def active_set(m, s, mt, sd, c):
    """What must not change within the stencil: which dimensions moved, and whether any did."""
    mean, std = project_kl(m, s, mt, sd, c)
    return (std < s).tolist(), bool(torch.equal(mean, mt) and torch.equal(std, sd))


@settings(max_examples=150, deadline=None)
@given(TASKS, st.floats(-5, 1.5))
@example([(0.0, 1.0, 0.03125, 0.0)] * 2, 0.0)
@example([(0.0, 2.0, 1.192092896e-07, 1.5)], 0.0)
def test_jacobian_is_that_of_finite_differences(rows, log_c):
    m, s, d, log_t = (torch.tensor(x, dtype=torch.float64) for x in zip(*rows, strict=True))
    mt, sd, c = m + d * s, s * log_t.exp(), math.exp(log_c)
    exact = jacobian(m, s, mt, sd, c)
    task = torch.cat((mt, sd))
    dims, step = len(m), 1e-4
    before = active_set(m, s, mt, sd, c)
    for column in range(2 * dims):
        near = []
        for k in (-3, 3):
            x = task.clone()
            x[column] += k * step
            near.append(active_set(m, s, x[:dims], x[dims:], c))
        if column < dims and abs(mt[column] - m[column]) <= 3 * step:
            x = task.clone()  # the base's own mean lies inside the stencil, and may be a kink
            x[column] = m[column]
            near.append(active_set(m, s, x[:dims], x[dims:], c))
        at_base_std = column >= dims and abs(sd[column - dims] - s[column - dims]) <= 3 * step
        if at_base_std or any(one != before for one in near):
            continue  # a kink inside the stencil: tested one-sidedly below
        # Where the base is hardly left, the projection bends on a scale below the step: then two
        # steps disagree, and differences say nothing about the derivative.
        coarse = difference(m, s, mt, sd, c, column, step)
        finite = difference(m, s, mt, sd, c, column, step / 4)
        scale = 1.0 + exact.abs().max().item()
        if (coarse - finite).abs().max() > 2e-6 * scale:
            continue
        np.testing.assert_allclose(exact[:, column], finite, atol=4e-6 * scale, rtol=1e-5)


def test_autograd_gradcheck_on_a_binding_batch():
    g = torch.Generator().manual_seed(0)
    m, s = torch.zeros(6, 3, dtype=torch.float64), torch.ones(6, 3, dtype=torch.float64)
    mt = torch.randn(6, 3, generator=g, dtype=torch.float64).requires_grad_()
    sd = (0.4 + torch.rand(6, 3, generator=g, dtype=torch.float64)).requires_grad_()
    assert (max_log_ratio(mt.detach(), sd.detach(), m, s) > 0.3).all()
    assert torch.autograd.gradcheck(lambda a, b: project_kl(m, s, a, b, 0.3), (mt, sd))


def test_feasible_tasks_have_the_identity():
    m, s = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    mt = torch.tensor([0.1, -0.1], dtype=torch.float64)
    sd = torch.tensor([0.8, 0.9], dtype=torch.float64)
    assert torch.equal(jacobian(m, s, mt, sd, 1.0), torch.eye(4, dtype=torch.float64))
    # on the surface itself: the feasible side
    c = max_log_ratio(mt, sd, m, s).item()
    assert torch.equal(jacobian(m, s, mt, sd, c), torch.eye(4, dtype=torch.float64))
    # just outside, the projection follows the surface instead: singular along its normal
    outside = jacobian(m, s, mt, sd, c * (1 - 1e-9))
    assert torch.linalg.matrix_rank(outside, rtol=1e-6) == 3


def test_the_base_has_no_gradient_and_inactive_dimensions_neither():
    m, s = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    mt = torch.tensor([1.0, 0.0], dtype=torch.float64)
    sd = torch.tensor([0.7, 3.0], dtype=torch.float64)
    assert torch.equal(jacobian(m, s, mt, sd, 0.0), torch.zeros(4, 4, dtype=torch.float64))
    out = jacobian(m, s, mt, sd, 0.2)
    assert (out[[1, 3]] == 0).all()
    assert (out[:, [1, 3]] == 0).all()
    assert (out[[0, 2]][:, [0, 2]] != 0).all()


def test_a_wider_task_with_room_to_spare_moves_its_mean_only():
    """Delta = d a / (a + (1 - a) / (2 slack)), a = 1/t^2, to first order; the std stays."""
    m, s = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    wide = torch.full((1,), 2.0, dtype=torch.float64)
    for log_alpha, share in ((0.5, 0.25), (3.0, 0.25 / (0.25 + 0.125))):
        assert jacobian(m, s, zero, wide, log_alpha).tolist() == [[share, 0.0], [0.0, 0.0]]
        mean, std = project_kl(m, s, zero + 1e-5, wide, log_alpha)
        assert mean.item() == pytest.approx(share * 1e-5, rel=1e-3)
        assert 1.0 - std.item() < 1e-9


def test_the_base_as_a_task_has_the_identity_unless_nothing_may_move():
    m, s = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    assert torch.equal(jacobian(m, s, m.clone(), s.clone(), 0.1), torch.eye(4).double())
    assert torch.equal(jacobian(m, s, m.clone(), s.clone(), 0.0), torch.zeros(4, 4).double())


def test_gradients_have_the_inputs_shape_and_dtype_and_broadcast():
    m, s = torch.zeros(2), torch.ones(2)
    mt = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    sd = torch.full((2,), 0.8, requires_grad=True)
    mean, std = project_kl(m, s, mt, sd, 0.1)
    (mean.sum() + std.sum()).backward()
    assert mt.grad.shape == (5, 2)
    assert mt.grad.dtype == torch.float32
    assert sd.grad.shape == (2,)
    assert torch.isfinite(sd.grad).all()
    alone = torch.zeros(2)
    for row in mt.detach():
        one = sd.detach().clone().requires_grad_()
        x, y = project_kl(m, s, row, one, 0.1)
        alone += torch.autograd.grad(x.sum() + y.sum(), one)[0]
    torch.testing.assert_close(sd.grad, alone, rtol=1e-5, atol=1e-6)


def test_inputs_changed_after_the_forward_pass_do_not_matter():
    m, s = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    mt = torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64, requires_grad=True)
    sd = torch.full((3,), 0.8, dtype=torch.float64, requires_grad=True)
    want = torch.autograd.grad(project_kl(m, s, mt, sd, 0.2)[0].sum(), mt)[0]
    mean, _ = project_kl(m, s, mt, sd, 0.2)
    with torch.no_grad():
        mt.mul_(3.0)
        m.add_(1.0)
    assert torch.equal(torch.autograd.grad(mean.sum(), mt)[0], want)


def test_only_first_order_and_no_graph_without_need():
    m, s = torch.zeros(1), torch.ones(1)
    mt = torch.ones(1, requires_grad=True)
    mean, _ = project_kl(m, s, mt, s, 0.1)
    (first,) = torch.autograd.grad(mean.sum(), mt, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(first.sum(), mt)
    with torch.no_grad():
        assert not project_kl(m, s, mt, s, 0.1)[0].requires_grad
    assert not project_kl(m, s, mt.detach(), s, 0.1)[0].requires_grad


@pytest.mark.parametrize("kind", ["hostile", "close", "far base"])
def test_hostile_gradients_are_finite(kind, problems):
    m, s, mt, sd, c = (
        torch.as_tensor(x) for x in problems(kind, 3000, 3, np.random.default_rng(6))
    )
    mt.requires_grad_()
    sd.requires_grad_()
    mean, std = project_kl(m, s, mt, sd, c)
    grads = torch.autograd.grad((mean / s).sum() + (std / s).sum(), (mt, sd))
    assert all(torch.isfinite(g).all() for g in grads)
