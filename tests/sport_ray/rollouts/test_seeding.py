"""Each scenario's generators: its own, reproducible, and of the right law."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sport_ray.rollouts import seeding
from sport_ray.rollouts.seeding import ScenarioStreams, scenario_generators

PURPOSES = ("certify", "evaluate", "base", "choose", "off_policy", "tune", "presa", "statistics")


def words(root: int, purpose: str, index: int) -> list[tuple[int, ...]]:
    """The first draws of both generators."""
    return [
        tuple(generator.integers(2**63, size=4).tolist())
        for generator in scenario_generators(root, purpose, index)
    ]


def test_the_same_scenario_has_the_same_streams():
    for purpose in PURPOSES:
        assert words(3, purpose, 17) == words(3, purpose, 17)


def test_no_two_streams_are_alike():
    """Over roots, purposes, indices, and environment against actions."""
    roots = (0, 1, 2**32, 2**64 - 1)
    indices = (*range(50), 2**31, 2**32, 2**32 + 1)
    streams = [
        stream
        for root, purpose, index in itertools.product(roots, PURPOSES, indices)
        for stream in words(root, purpose, index)
    ]
    assert len(set(streams)) == len(streams) == 4 * 8 * 53 * 2


def test_across_scenarios_the_first_draws_are_uniform_and_uncorrelated():
    draws = np.array(
        [[g.random() for g in scenario_generators(0, "certify", i)] for i in range(4_000)]
    )
    for column in draws.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
        assert stats.pearsonr(column[:-1], column[1:]).pvalue > 1e-3
    assert stats.pearsonr(*draws.T).pvalue > 1e-3


@pytest.mark.parametrize("same", [True, False], ids=["compiled", "numpy's own"])
def test_the_streams_of_a_batch_are_each_scenarios_own(monkeypatch, same):
    """Also where the installed numpy is another than what is compiled."""
    monkeypatch.setattr(seeding, "as_numpy", lambda: same)
    streams = ScenarioStreams(2**33, "evaluate", 6)
    scenarios = np.array([0, 7, 2**32, 2**40 + 1])
    streams.start(np.array([5, 0, 2, 3]), scenarios)
    streams.start(np.array([0]), np.array([8]))
    slots, scenarios = np.array([0, 5, 2, 3]), [8, 0, 2**32, 2**40 + 1]
    pairs = [scenario_generators(2**33, "evaluate", index) for index in scenarios]
    for child, rows in enumerate((streams.environment(slots), streams.actions(slots))):
        expected = [pair[child].standard_normal(5) for pair in pairs]
        assert np.array_equal(rows.standard_normal(5), expected)
        assert [row.random() for row in rows] == [pair[child].random() for pair in pairs]
