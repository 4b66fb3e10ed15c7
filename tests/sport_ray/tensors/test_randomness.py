"""Philox against its authors' own answers, and what is drawn from it against its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from sport_ray.tensors import normals, uniforms
from sport_ray.tensors.randomness import _on_device, philox

# Random123's kat_vectors, philox4x32-10: counter, key, answer.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_philox_gives_its_authors_answers(counter, key, answer):
    words = philox(
        tuple(torch.tensor([word]) for word in counter), tuple(torch.tensor([w]) for w in key)
    )
    assert tuple(int(word) for word in words) == answer


def test_every_argument_makes_another_stream_and_nothing_else_does():
    seeds = torch.tensor([5, 6, 2**31 - 1])
    first = uniforms(seeds, 7)
    assert torch.equal(uniforms(seeds.flip(0), 7).flip(0), first)
    assert torch.equal(uniforms(seeds, 4), first[:, :4])
    assert torch.equal(uniforms(seeds, 7, step=torch.tensor([0, 0, 0])), first)
    others = [first, uniforms(seeds, 7, stream=1), uniforms(seeds, 7, step=1)]
    others.append(uniforms(seeds, 7, step=2**32))
    rows = torch.cat(others).tolist()
    values = {value for row in rows for value in row}
    assert len(values) == 4 * 3 * 7
    many = uniforms(seeds, 7, step=torch.tensor([0, 1, 0]))
    assert torch.equal(many[1], others[2][1])
    assert torch.equal(many[[0, 2]], first[[0, 2]])


def test_the_laws():
    seeds = torch.arange(20_000)
    drawn = uniforms(seeds, 5, stream=3).numpy()
    assert ((drawn >= 0.0) & (drawn < 1.0)).all()
    assert stats.kstest(drawn.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(drawn.T) - np.eye(5)).max() < 4.5 / math.sqrt(len(seeds))
    found = normals(seeds, 5).numpy()
    assert stats.kstest(found.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(found.T) - np.eye(5)).max() < 4.5 / math.sqrt(len(seeds))
    assert normals(seeds, 3).shape == (20_000, 3)


def test_the_compiled_loop_has_the_bits_of_the_tensors():
    seeds, when = torch.tensor([0, 5, 2**31 - 1, 2**40 + 3]), torch.tensor([0, 1, 2**33, 7])
    for stream in (0, 3, 2**32 - 1):
        wanted = _on_device(seeds, 3, stream, when)
        assert torch.equal(uniforms(seeds, 5, stream=stream, step=when), wanted[:, :5])
    assert torch.equal(uniforms(seeds, 2, step=9), _on_device(seeds, 1, 0, 9))
