"""project_kl_arrays: agreement with the torch entry point, float32 output, argument errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.families.gaussian.arrays import max_log_ratio_arrays, project_kl_arrays
from sport_ray.families.gaussian.projection import project_kl


def test_same_numbers_as_torch_in_both_dtypes(problems):
    inputs = problems("ordinary", 200, 3, np.random.default_rng(0))
    mean, std, _ = project_kl_arrays(*inputs)
    again = project_kl(*(torch.as_tensor(x) for x in inputs))
    assert np.array_equal(mean, again[0].numpy())
    assert np.array_equal(std, again[1].numpy())
    single = [x.astype(np.float32) for x in inputs[:4]]
    mean, std, ratio = project_kl_arrays(*single, inputs[4], out_float32=True)
    again = project_kl(*(torch.as_tensor(x) for x in single), torch.as_tensor(inputs[4]))
    assert mean.dtype == std.dtype == ratio.dtype == np.float64
    assert np.array_equal(mean.astype(np.float32), again[0].numpy())
    assert np.array_equal(std.astype(np.float32), again[1].numpy())


def test_float32_output_of_a_float64_task(problems):
    """The base is representable, the task is not: feasible or not, the result must be."""
    m, s, mt, sd, c = problems("ordinary", 500, 2, np.random.default_rng(2))
    m, s = (x.astype(np.float32).astype(np.float64) for x in (m, s))
    sd[::2] = s[::2] * 0.9
    mt[::2] = m[::2] + 1e-3 * s[::2]
    c[::2] = 1.0
    mean, std, ratio = project_kl_arrays(m, s, mt, sd, c, out_float32=True)
    assert np.array_equal(mean, mean.astype(np.float32))
    assert np.array_equal(std, std.astype(np.float32))
    assert (ratio <= c).all()
    assert (max_log_ratio_arrays(mean, std, m, s) <= c).all()
    np.testing.assert_allclose(std[::2], sd[::2], rtol=1e-6)
    np.testing.assert_allclose(mean[::2], mt[::2], rtol=1e-6)


def test_float32_output_needs_a_float32_base():
    with pytest.raises(ValueError, match=r"std_base must be representable in float32.*\(1, 0\)"):
        project_kl_arrays([[0.5], [0.5]], [[1.0], [0.1]], [[0.0], [0.0]], [[1.0], [1.0]], 0.1, True)


def test_shapes_and_errors():
    mean, std, ratio = project_kl_arrays([0.0, 1.0], [1.0, 1.0], [0.5, 1.0], [1.0, 0.5], 0.1)
    assert mean.shape == std.shape == (2,)
    assert ratio.shape == ()
    with pytest.raises(ValueError, match=r"std_task must be finite and > 0, got 0.0 at index \(1,"):
        project_kl_arrays([0.0], [1.0], np.zeros((2, 3, 1)), np.ones((2, 3, 1)) * [[[1]], [[0]]], 1)
    with pytest.raises(ValueError, match=r"shape \(\.\.\., D\)"):
        project_kl_arrays(0.0, 1.0, 0.0, 1.0, 0.1)


def test_read_only_and_strided_inputs(problems):
    inputs = problems("ordinary", 40, 4, np.random.default_rng(3))
    want = project_kl_arrays(*(x[::2] for x in inputs))
    frozen = [np.repeat(x[::2], 2, axis=0)[::2] for x in inputs]
    for x in frozen:
        x.flags.writeable = False
    got = project_kl_arrays(*frozen)
    assert all(np.array_equal(a, b) for a, b in zip(want, got, strict=True))
