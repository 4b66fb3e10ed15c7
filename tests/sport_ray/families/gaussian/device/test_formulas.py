"""The torch formulas against the compiled ones, row by row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.fuzz_projection import KINDS, draw
from sport_ray.families.gaussian import device
from sport_ray.families.gaussian.arrays import as_rows
from sport_ray.families.gaussian.gradient import pull_back
from sport_ray.families.gaussian.kernels import project_rows
from sport_ray.families.gaussian.mean_shift import project_mean_shift
from sport_ray.families.gaussian.projection import max_log_ratio

DTYPES = [torch.float32, torch.float64]


def _drawn(kind: str, dims: int, seed: int, dtype: torch.dtype) -> list[torch.Tensor]:
    found = draw(kind, 400, dims, np.random.default_rng(seed))
    return [torch.from_numpy(x).to(dtype) for x in found[:4]] + [torch.from_numpy(found[4])]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_max_log_ratio_is_the_compiled_one(
    kind: str, dtype: torch.dtype, place: torch.device
) -> None:
    m, s, mean, std, _ = _drawn(kind, 3, 1, dtype)
    std = torch.minimum(std, s)
    mean[:50], std[:50] = m[:50], s[:50]
    found = device.max_log_ratio([x.to(place) for x in (mean, std, m, s)]).cpu()
    expected = max_log_ratio(mean, std, m, s)
    assert torch.equal(found.isinf(), expected.isinf())
    finite = ~found.isinf()
    torch.testing.assert_close(found[finite], expected[finite], rtol=1e-14, atol=0.0)
    assert (found[:50] == 0.0).all()


@pytest.mark.parametrize("kind", ["ordinary", "close", "saturated", "feasible"])
def test_the_derivative_is_the_compiled_one(kind: str, place: torch.device) -> None:
    rng = np.random.default_rng(2)
    *arrays, limits = draw(kind, 400, 3, rng)
    shape, rows = as_rows(arrays)
    mean, std, lam, w = np.empty(shape), np.empty(shape), np.empty(400), np.empty(shape)
    project_rows(*rows, limits, False, mean, std, np.empty(400), lam, w)
    grads = rng.normal(size=(2, *shape))
    expected = np.empty(shape), np.empty(shape)
    pull_back(*rows, lam, w, *grads, *expected)
    given = [torch.from_numpy(x).to(place) for x in (*rows, lam, w, *grads)]
    found = device.pull_back(given[:4], *given[4:])
    for one, other in zip(found, expected, strict=True):
        # In units of what is pulled back: what cancels out leaves rounding on either side.
        scale = np.abs(other).max(axis=1, keepdims=True) + np.abs(grads).max()
        np.testing.assert_allclose(one.cpu().numpy() / scale, other / scale, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_shifts_keep_the_promises_of_the_compiled_projection(
    kind: str, dtype: torch.dtype, place: torch.device
) -> None:
    m, s, mt, _, radius = _drawn(kind, 3, 3, dtype)
    mt[:20] = m[:20] + 1e-3 * radius[:20, None].to(dtype) * s[:20]
    single = dtype == torch.float32
    found, std = device.project_mean_shift(
        [x.to(place) for x in (m, s, mt)], radius.to(place), single
    )
    expected, _ = project_mean_shift(m, s, mt, radius)
    found = found.cpu()
    assert found.dtype == dtype
    assert torch.equal(std.cpu(), s)
    length = torch.linalg.vector_norm((found.double() - m.double()) / s.double(), dim=-1)
    assert (length <= radius).all()
    assert torch.equal(found[:20], expected[:20])  # nothing to project
    assert torch.equal(found[radius == 0.0], m[radius == 0.0])
    shorter = (expected.double() - m.double()) / s.double()
    unit = torch.finfo(dtype).eps
    allowed = 8 * unit * (1.0 + (m.abs() / s).double().amax(-1)) + 1e-13 * radius
    difference = torch.linalg.vector_norm((found.double() - expected.double()) / s, dim=-1)
    assert (difference <= allowed * (1.0 + torch.linalg.vector_norm(shorter, dim=-1))).all()


def test_a_mistake_is_named_as_on_the_host(
    place: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "holds", lambda given: True)
    one = torch.ones((2, 3), device=place, dtype=torch.float64)
    bad = one.clone()
    bad[1, 2] = torch.nan
    for arguments in (((one, one, bad), 0.5), ((one, one, one), -1.0)):
        with pytest.raises(device.Refused):
            device.project_mean_shift(*arguments, False)
    with pytest.raises(ValueError, match=r"mean_task must be finite, got nan at index \(1, 2\)"):
        project_mean_shift(one, one, bad, 0.5)
    with pytest.raises(ValueError, match=r"std_base must be finite and > 0, got 0.0 at index"):
        max_log_ratio(one, one, one, one - one)
    with pytest.raises(ValueError, match=r"radius must be finite and >= 0, got -1.0"):
        project_mean_shift(one, one, one, -1.0)
