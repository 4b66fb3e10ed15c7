"""The device's projection kernel: every promise of the compiled one, on the numbers returned.

On a GPU where there is one, otherwise in Triton's interpreter: the same program in numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.fuzz_projection import KINDS, draw, textbook_ratio
from sport_ray.families.gaussian import device
from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.families.gaussian.projection import kl_divergence
from tests.sport_ray.families.gaussian.conftest import exact_ratio

pytest.importorskip("triton", reason="the device's kernel is written for Triton")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")

COUNT = 96
NARROW = pytest.mark.parametrize("single", [False, True], ids=["float64", "float32"])


def _problem(kind: str, dims: int, seed: int, single: bool) -> list[np.ndarray]:
    found = draw(kind, COUNT, dims, np.random.default_rng(seed))
    found[4][:4] = 0.0
    if single:
        found = [x.astype(np.float32).astype(np.float64) for x in found[:4]] + found[4:]
    return found


def _solve(problem: list[np.ndarray], single: bool, place: torch.device) -> list[np.ndarray]:
    """Mean and std as the device returns them, in float64 arrays."""
    dtype = torch.float32 if single else torch.float64
    given = [torch.from_numpy(x).to(place, dtype) for x in problem[:4]]
    limits = torch.from_numpy(problem[4]).to(place)
    mean, std, _ = device.project(given, limits, single, False)
    assert mean.dtype == std.dtype == dtype
    assert mean.device.type == place.type
    return [x.double().cpu().numpy() for x in (mean, std)]


def _kl(mean: np.ndarray, std: np.ndarray, mt: np.ndarray, st: np.ndarray) -> np.ndarray:
    return kl_divergence(*(torch.from_numpy(x) for x in (mean, std, mt, st))).numpy()


@NARROW
@pytest.mark.parametrize("dims", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_promises(kind: str, dims: int, single: bool, place: torch.device) -> None:
    problem = _problem(kind, dims, 10 + dims, single)
    m, s, mt, st, limit = problem
    mean, std = _solve(problem, single, place)
    assert np.isfinite(mean).all()
    assert (std <= s).all()
    assert (max_log_ratio_arrays(mean, std, m, s) <= limit).all()
    task = (mean == mt).all(-1) & (std == st).all(-1)
    if kind != "extreme":  # squares overflow there
        assert (textbook_ratio(mean, std, m, s)[~task] <= limit[~task]).all()
    # A member within its limit is returned bit for bit; a hair beside it, either may be right.
    given = max_log_ratio_arrays(mt, st, m, s)
    assert task[given <= limit * (1.0 - 1e-12)].all()
    none = limit == 0.0
    assert np.array_equal(mean[none], m[none])
    assert np.array_equal(std[none], s[none])
    # As near as the compiled projection comes; 1e-12 is rounding of the divergence itself. Of
    # float32's coarse numbers a last bit of a GPU's logarithm may choose others.
    best = project_kl_arrays(*problem, out_float32=single)[:2]
    near = 1e-3 if single and place.type == "cuda" else 1e-9
    assert (_kl(mean, std, mt, st) <= _kl(*best, mt, st) * (1.0 + near) + 1e-12).all()


@pytest.mark.parametrize("kind", ["ordinary", "close", "far base", "saturated"])
def test_the_bound_holds_in_sixty_digits(kind: str, place: torch.device) -> None:
    for single in (False, True):
        problem = _problem(kind, 2, 31, single)
        mean, std = _solve(problem, single, place)
        for row in range(0, COUNT, 4):
            m, s, _, _, limit = (x[row] for x in problem)
            assert exact_ratio(mean[row], std[row], m, s) <= limit


@NARROW
def test_a_row_does_not_depend_on_the_others(single: bool, place: torch.device) -> None:
    problem = _problem("hostile", 3, 41, single)
    mean, std = _solve(problem, single, place)
    rows = np.arange(COUNT)[:: COUNT // 5]
    alone = [_solve([x[[row]] for x in problem], single, place) for row in rows]
    assert np.array_equal(mean[rows], np.concatenate([one[0] for one in alone]))
    assert np.array_equal(std[rows], np.concatenate([one[1] for one in alone]))


def test_many_dimensions_and_one_limit_for_all(place: torch.device) -> None:
    problem = _problem("ordinary", 70, 51, True)
    problem[4] = np.array([0.3])
    mean, std = _solve(problem, True, place)
    m, s, mt, st, limit = problem
    assert (max_log_ratio_arrays(mean, std, m, s) <= limit).all()
    best = project_kl_arrays(*problem, out_float32=True)[:2]
    assert (_kl(mean, std, mt, st) <= _kl(*best, mt, st) * (1.0 + 1e-9)).all()


def test_a_wider_task_with_the_bases_mean_is_the_base(place: torch.device) -> None:
    one = np.ones((4, 2))
    mean, std = _solve([one, one, one, 2.0 * one, np.full(4, 0.1)], True, place)
    assert np.array_equal(mean, one)
    assert np.array_equal(std, one)


def test_leading_dimensions_broadcast(place: torch.device) -> None:
    generator = torch.Generator().manual_seed(0)
    base = [torch.randn(5, 2, generator=generator).to(place), torch.ones(5, 2, device=place)]
    task = [torch.randn(3, 1, 2, generator=generator).to(place), torch.ones(2, device=place)]
    limit = torch.tensor([[0.1], [0.2], [0.4]], device=place)
    mean, std, _ = device.project((*base, *task), limit, True, False)
    assert mean.shape == std.shape == (3, 5, 2)
    alone, _, _ = device.project(
        (*base, task[0][2], task[1]), float(limit[2].double()), True, False
    )
    assert torch.equal(mean[2], alone)


def test_gradients_are_the_compiled_ones(place: torch.device) -> None:
    problem = _problem("ordinary", 2, 61, False)
    grads = np.random.default_rng(0).normal(size=(2, COUNT, 2))
    found = _pulled_back(problem, grads, place)
    from sport_ray.families.gaussian.gradient import pull_back
    from sport_ray.families.gaussian.projection import _project

    tensors = [torch.from_numpy(x) for x in problem]
    _, _, (rows, lam, w) = _project(tuple(tensors[:4]), tensors[4], True)
    expected = np.empty((COUNT, 2)), np.empty((COUNT, 2))
    pull_back(*rows, lam, w, *grads, *expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def _pulled_back(problem: list[np.ndarray], grads: Any, place: torch.device) -> list[np.ndarray]:
    given = [torch.from_numpy(x).to(place) for x in problem]
    _, _, saved = device.project(given[:4], given[4], False, True)
    found = device.pull_back(*saved, *(torch.from_numpy(x).to(place) for x in grads))
    return [x.cpu().numpy() for x in found]


@pytest.mark.parametrize(
    ("which", "value", "message"),
    [
        (0, np.nan, r"mean_base must be finite, got nan at index \(3, 1\)"),
        (1, 0.0, r"std_base must be finite and > 0, got 0.0 at index \(3, 1\)"),
        (2, np.inf, r"mean_task must be finite, got inf at index \(3, 1\)"),
        (3, -1.0, r"std_task must be finite and > 0, got -1.0 at index \(3, 1\)"),
        (4, -0.5, r"log_alpha must be finite and >= 0, got -0.5 at index \(3,\)"),
        (4, np.nan, r"log_alpha must be finite and >= 0, got nan at index \(3,\)"),
    ],
)
def test_a_mistake_is_named_as_on_the_host(
    which: int, value: float, message: str, place: torch.device
) -> None:
    problem = _problem("ordinary", 2, 71, False)
    problem[which][3] = problem[which][3] if which < 4 else value
    if which < 4:
        problem[which][3, 1] = value
    with pytest.raises(ValueError, match=message):
        _solve(problem, False, place)


def test_without_waiting_a_bad_row_is_nan_and_the_others_are_right(place: torch.device) -> None:
    from sport_ray.families.gaussian.device.projection import project_rows

    problem = _problem("ordinary", 2, 81, False)
    mean, std = _solve(problem, False, place)
    problem[3][5, 0] = -1.0
    given = [torch.from_numpy(x).to(place) for x in problem]
    found = project_rows(*given)
    good = np.arange(COUNT) != 5
    assert torch.isnan(found.mean[5]).all()
    assert torch.isnan(found.std[5]).all()
    assert found.ratio[5] == torch.inf
    assert np.array_equal(found.mean.cpu().numpy()[good], mean[good])
    assert np.array_equal(found.std.cpu().numpy()[good], std[good])
