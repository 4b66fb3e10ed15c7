"""The Gaussian as a family: log ratios at drawn actions against SciPy, names and numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.families import FAMILIES, Distribution, Gaussian


def numbers(count: int, size: int) -> list[np.ndarray]:
    """Mean, std, base mean, base std and actions."""
    rng = np.random.default_rng(3)
    mean, base, action = rng.normal(size=(3, count, size))
    std, base_std = rng.uniform(0.2, 3.0, (2, count, size))
    return [mean, std, base, base_std, action]


def gaussian(mean: np.ndarray, std: np.ndarray) -> Gaussian:
    return Gaussian(torch.from_numpy(mean), torch.from_numpy(std))


def test_it_is_the_difference_of_log_densities():
    mean, std, base, base_std, action = numbers(200, 3)
    wanted = stats.norm.logpdf(action, mean, std) - stats.norm.logpdf(action, base, base_std)
    step = gaussian(mean, std)
    got = step.log_ratio(gaussian(base, base_std), action)
    np.testing.assert_allclose(got, wanted.sum(axis=1), rtol=0, atol=1e-11)
    density = stats.norm.logpdf(action, mean, std).sum(axis=1)
    for log_prob in (step.log_prob, step.torch_distribution().log_prob):
        np.testing.assert_allclose(log_prob(torch.from_numpy(action)).numpy(), density, rtol=1e-13)


def test_the_upper_bound_is_one_in_exact_arithmetic_and_hardly_more():
    mean, std, base, base_std, action = numbers(200, 3)
    wide = [np.longdouble(x) for x in (mean, std, base, base_std, action)]
    x, s, m, b, a = wide
    exact = (np.log(b / s) + ((a - m) / b) ** 2 / 2 - ((a - x) / s) ** 2 / 2).sum(axis=1)
    above = gaussian(mean, std).log_ratio_above(gaussian(base, base_std), action)
    assert (above > exact).all()
    np.testing.assert_allclose(above, exact.astype(np.float64), rtol=0, atol=1e-9)


def test_the_same_gaussian_has_a_log_ratio_of_exactly_zero():
    mean, std, _, _, action = numbers(200, 3)
    same = gaussian(mean, std)
    assert same.log_ratio(gaussian(mean, std), action).tolist() == [0.0] * 200
    assert same.log_ratio_above(gaussian(mean, std), action).tolist() == [0.0] * 200
    assert not same.differs(gaussian(mean, std)).any()


def test_no_action_exceeds_the_largest_log_ratio_and_the_worst_one_attains_it():
    mean, std, base, base_std, action = numbers(200, 3)
    std = np.minimum(std, 0.9 * base_std)  # only then is there a largest
    step, origin = gaussian(mean, std), gaussian(base, base_std)
    largest = step.max_log_ratio(origin).numpy()
    assert (step.log_ratio(origin, action) <= largest).all()
    share = (std / base_std) ** 2
    worst = (mean - share * base) / (1.0 - share)
    np.testing.assert_allclose(step.log_ratio(origin, worst), largest, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_and_tensors_are_the_same_gaussian_to_the_bit(dtype):
    parts = [x.astype(dtype) for x in numbers(50, 3)]
    held = Gaussian(*parts[:2]), Gaussian(*parts[2:4])
    given = gaussian(*parts[:2]), gaussian(*parts[2:4])
    limit = torch.linspace(0.0, 3.0, 50, dtype=torch.float64)
    for step, base in (held, (held[0], given[1]), (given[0], held[1])):
        for got, wanted in (
            (step.projected(base, limit), given[0].projected(given[1], limit)),
            (step.projected_shift(base, limit), given[0].projected_shift(given[1], limit)),
        ):
            assert not got.differs(wanted).any()
            assert [part.dtype for part in got.parts] == [part.dtype for part in wanted.parts]
            assert torch.equal(got.differs(base), wanted.differs(given[1]))
            assert torch.equal(got.is_shift_of(base), wanted.is_shift_of(given[1]))
            assert torch.equal(got.max_log_ratio(base), wanted.max_log_ratio(given[1]))
    wide = given[0].rounded(np.float64)
    assert not wide.differs(held[0]).any()
    assert wide.parts[0].dtype == torch.float64


def test_numbers_by_name_and_in_a_row_are_the_same_gaussian():
    mean, std, *_ = numbers(5, 3)
    step = gaussian(mean, std)
    assert step.parameters.shape == (5, Gaussian.num_parameters(3))
    for other in (
        Gaussian.from_parameters(step.parameters),
        Gaussian.from_fields({name: x.tolist() for name, x in step.fields().items()}),
    ):
        assert not other.differs(step).any()
    assert sorted(step.fields("base_")) == ["base_mean", "base_std"]
    assert step.differs(step[[0, 1, 2, 4, 3]]).tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    "fields",
    [
        {"mean": [0.0]},
        {"mean": [0.0], "std": [1.0], "skew": [0.0]},
        {"mean": [0.0], "std": [0.0]},
        {"mean": [0.0], "std": [-1.0]},
        {"mean": [math.nan], "std": [1.0]},
        {"mean": [0.0], "std": [math.inf]},
        {"mean": [0.0, 0.0, 0.0], "std": [1.0]},
    ],
)
def test_numbers_of_no_gaussian_are_refused(fields):
    with pytest.raises(ValueError, match="gaussian"):
        Gaussian.from_fields(fields)


def test_another_processor_s_rounding_agrees_and_a_shift_does_not():
    mean, std, *_ = numbers(5, 3)
    step = gaussian(mean, std)
    assert step.agrees(gaussian(mean * (1.0 + 2.0**-23), std), step).all()
    assert not step.agrees(gaussian(mean + 1e-3 * std, std), step).any()
    assert not step.agrees(gaussian(mean, 1.001 * std), step).any()


def test_a_name_stands_for_one_family():
    assert FAMILIES["gaussian"] is Gaussian
    with pytest.raises(ValueError, match=r"'gaussian' is taken by the family Gaussian"):
        type(
            "Other", (Distribution,), {"name": "gaussian", "__module__": "sport_ray.families.other"}
        )
