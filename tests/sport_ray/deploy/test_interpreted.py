"""The interpreted projection against the compiled one: the same bits, hostile numbers included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.deploy import interpreted
from sport_ray.deploy.interpreted import log_ratio_row, project_kl_row, project_shift_row
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.families.gaussian.mean_shift import project_mean_shift

MEANS = st.floats(-(2.0**100), 2.0**100, width=32)
STDS = st.one_of(st.floats(2.0**-20, 2.0**20, width=32), st.floats(2.0**-100, 2.0**100, width=32))
LIMITS = st.one_of(st.sampled_from([0.0, 1e-12, 0.05]), st.floats(0.0, 100.0))


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[float], ...]:
    size = draw(st.integers(1, 10))
    lists = [draw(st.lists(kind, min_size=size, max_size=size)) for kind in (MEANS, STDS) * 2]
    if draw(st.booleans()):  # near each other, as policies are
        for index, factor in ((2, 0.3), (3, 0.0)):
            rng = np.random.default_rng(draw(st.integers(0, 999)))
            near = np.array(lists[index - 2]) + factor * rng.normal(size=size) * np.array(lists[1])
            lists[index] = near.astype(np.float32).astype(float).tolist()
    return tuple(lists)


@settings(max_examples=300)
@given(problems(), LIMITS)
def test_projections_and_ratios_have_the_same_bits(
    problem: tuple[list[float], ...], limit: float
) -> None:
    mean, std, _ = project_kl_arrays(*problem, limit, out_float32=True)
    found = project_kl_row(*problem, limit)
    assert found == (mean.tolist(), std.tolist())
    ratio = float(max_log_ratio_arrays(mean, std, *problem[:2]))
    assert log_ratio_row(*found, *problem[:2]) == ratio <= limit
    tensors = (torch.tensor(x, dtype=torch.float32) for x in problem[:3])
    shifted, same = project_mean_shift(*tensors, limit)
    assert project_shift_row(*problem[:3], limit) == (
        shifted.double().tolist(),
        same.double().tolist(),
    )


def ordinary(count: int, size: int) -> list[tuple[list[float], ...]]:
    rng = np.random.default_rng(size)
    found = []
    for _ in range(count):
        base, shift, width = rng.normal(size=size), rng.normal(size=size), rng.normal(size=size)
        std = np.exp(0.5 * rng.normal(size=size) - 1.0)
        rows = (base, std, base + shift * std * rng.choice([0.1, 3.0]), std * np.exp(0.3 * width))
        found.append(tuple(x.astype(np.float32).astype(float).tolist() for x in rows))
    return found


@pytest.mark.parametrize("size", [1, 2, 10])
def test_the_same_bits_where_the_constraint_binds(size: int) -> None:
    binding = 0
    for problem in ordinary(300, size):
        mean, std, ratio = project_kl_arrays(*problem, 0.1, out_float32=True)
        assert project_kl_row(*problem, 0.1) == (mean.tolist(), std.tolist())
        binding += ratio > 0.09
    assert binding > 200


def test_where_python_raises_the_row_is_computed_by_the_rules_of_c(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = []
    plain = interpreted._KL[True]["project_rows"]
    monkeypatch.setitem(
        interpreted._KL[True], "project_rows", lambda *a: used.append(1) or plain(*a)
    )
    rng = np.random.default_rng(0)
    for _ in range(300):
        base, std = rng.normal(size=2), np.exp(0.5 * rng.normal(size=2) - 1.0)
        near = base + 0.5 * std * rng.normal(size=2)
        rows = (base, std, near, std * np.exp(3.0 * rng.normal(size=2)))
        problem = [x.astype(np.float32).astype(float).tolist() for x in rows]
        mean, narrow, _ = project_kl_arrays(*problem, 2.0, out_float32=True)
        assert project_kl_row(*problem, 2.0) == (mean.tolist(), narrow.tolist())
    assert used


@pytest.mark.parametrize("index", range(4))
def test_what_is_no_gaussian_is_an_error(index: int) -> None:
    problem = [[0.0], [1.0], [0.5], [1.0]]
    problem[index] = [float("nan")]
    with pytest.raises(ArithmeticError):
        project_kl_row(*problem, 0.1)
    with pytest.raises(ArithmeticError):
        log_ratio_row(*problem)
    with pytest.raises(ArithmeticError):
        project_kl_row([0.0], [1.0], [0.5], [1.0], float("nan"))
