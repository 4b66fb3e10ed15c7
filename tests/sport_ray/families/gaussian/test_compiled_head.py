"""The head of many rows, compiled: the numbers of the head that everything else uses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.families.gaussian.head import KINDS, GaussianHead


def case(kind, dtype):
    rng = np.random.default_rng(4)
    head = GaussianHead(kind, -3.0, 1.5, 3)
    output = (2.0 * rng.standard_normal((200, head.outputs))).astype(dtype)
    own = rng.standard_normal((1, 3)).astype(dtype) if head.parameters else np.empty((0, 0), dtype)
    return head, output, own


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_those_of_a_block(kind):
    head, output, own = case(kind, np.float32)
    parts = dict(zip(head.parameters, torch.from_numpy(own), strict=True))
    expected = head.of_block(torch.from_numpy(output), parts).parameters
    got = torch.from_numpy(head.compiled().numbers(output, own))
    torch.testing.assert_close(got, expected, rtol=2e-6, atol=1e-7)


def test_each_network_has_its_own_share_of_rows():
    head, output, _ = case("constant", np.float32)
    own = np.array([[0.0, 0.1, 0.2], [1.0, -1.0, 0.5]], dtype=np.float32)
    found = head.compiled().numbers(output, own)
    np.testing.assert_allclose(found[:100, 3:], np.exp(own[[0] * 100]), rtol=1e-6)
    np.testing.assert_allclose(found[100:, 3:], np.exp(own[[1] * 100]), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-8])
def test_sure_rows_are_those_of_the_head_on_arrays(kind, size):
    """It doubles the errors, since the other's may err the other way."""
    head, output, own = case(kind, np.float64)
    error = np.full_like(output, size)
    parts = dict(zip(head.parameters, own, strict=True))
    expected, sure = head.of_rows(parts)(output, 2.0 * (1.0 + 1e-6) * error)
    got, also = head.compiled().sure_numbers(output, error, own)
    both = sure & also
    assert np.array_equal(got[both], expected[both])
    # tanh and exp may differ in their last bits, which decides on a row in a million.
    assert (sure != also).sum() <= 1
    assert both.mean() > 0.9 if size < 1e-9 else not both.all()
