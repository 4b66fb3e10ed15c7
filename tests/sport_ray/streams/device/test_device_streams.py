"""Streams seeded and drawn by Triton kernels, against numpy's own generators."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sport_ray.rollouts.seeding import purpose_number, scenario_generators
from sport_ray.streams import kernels as host
from sport_ray.streams.device import DeviceStreams
from sport_ray.streams.device.table import draw_normal, seed_states

pytest.importorskip("triton", reason="the device's kernels are written for Triton")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning:triton")


@pytest.mark.parametrize("root_seed", [0, 12345, 2**70 + 5, 2**200 + 1])
def test_states_are_numpys(root_seed: int, place: torch.device) -> None:
    indices = torch.tensor([0, 1, 7, 10**6, 2**31, 2**32 - 1], device=place)
    for child in (0, 1):
        found = seed_states(root_seed, purpose_number("evaluate"), indices, child)
        for row, index in zip(found.cpu().numpy().view(np.uint64), indices.tolist(), strict=True):
            own = scenario_generators(root_seed, "evaluate", index)[child]
            assert row.tolist() == host.state_of(own).tolist()


def test_numbers_are_numpys_with_tails_and_rejections(place: torch.device) -> None:
    indices = torch.arange(2_000, device=place)
    states = seed_states(3, 0, indices, 1)
    rows = torch.arange(1_999, -1, -2, device=place)
    out = torch.empty((1_000, 24), dtype=torch.float64, device=place)
    found = draw_normal(states, rows, out).cpu().numpy()
    wanted = np.stack(
        [scenario_generators(3, "certify", i)[1].standard_normal(24) for i in rows.tolist()]
    )
    tail = np.abs(wanted) > 3.654
    assert tail.any()
    assert np.array_equal(found[~tail], wanted[~tail])
    np.testing.assert_allclose(found[tail], wanted[tail], rtol=4e-16)
    # The streams have moved as far: what follows is numpy's, too. Streams not named stay.
    again = draw_normal(states, rows, torch.empty_like(out)).cpu().numpy()
    own = scenario_generators(3, "certify", int(rows[5]))[1]
    own.standard_normal(24)
    np.testing.assert_allclose(again[5], own.standard_normal(24), rtol=4e-16)
    still = states[0].cpu().numpy().view(np.uint64)
    assert still.tolist() == host.state_of(scenario_generators(3, "certify", 0)[1]).tolist()


def test_indices_of_two_words_are_seeded_on_the_host(place: torch.device) -> None:
    streams = DeviceStreams(3, 0, 2**32 - 2, 4, place)
    found = streams.normal(torch.arange(4, device=place), 2).cpu().numpy()
    for row, index in enumerate(range(2**32 - 2, 2**32 + 2)):
        own = scenario_generators(3, "certify", index)[1].standard_normal(2)
        np.testing.assert_allclose(found[row], own, rtol=4e-16)
