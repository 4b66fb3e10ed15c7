"""Totals of a stream: those of the whole table, however it is cut."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from sport_ray.properties import NEVER
from sport_ray.rollouts import Outcomes, OutcomeTotals, run_scenarios


@pytest.fixture
def table(walk_plan, walk_behaviour) -> Outcomes:
    return run_scenarios(walk_plan, walk_behaviour, 0, 60)


def added(table: Outcomes, cuts: list[int]) -> OutcomeTotals:
    totals = OutcomeTotals(12)
    for first, end in itertools.pairwise([0, *cuts, 60]):
        totals.add(table.rows(slice(first, end)))
    return totals


def test_they_are_those_of_the_table(table):
    totals = added(table, [])
    assert totals.num_violations == [table.num_violations(t) for t in range(1, 13)]
    steps = table.satisfied_at[table.satisfied_at != NEVER]
    assert totals.mean_steps_to_goal == pytest.approx(steps.mean(), rel=1e-14)
    assert totals.std_steps_to_goal == pytest.approx(steps.std(), rel=1e-12)


@pytest.mark.parametrize("cuts", [[1], [30, 59], list(range(1, 60))])
def test_cuts_change_nothing(table, cuts):
    one, other = added(table, []), added(table, cuts)
    assert one.digest == other.digest
    assert one.std_steps_to_goal == other.std_steps_to_goal
    assert one.num_violations == other.num_violations


def test_the_digest_knows_every_bit(table):
    whole = added(table, []).digest
    for name, values in table.to_arrays().items():
        changed = values.copy()
        flat = changed.reshape(-1).view(np.uint8)
        flat[flat.size // 2] ^= 1
        other = dataclasses.replace(table, **{name: changed})
        if name == "index":
            with pytest.raises(ValueError, match="come next"):
                added(other, [])
        else:
            assert added(other, []).digest != whole, name


@pytest.mark.parametrize("rows", [[1, 2, 3], [0, 1, 1], [1, 0], [0, 2]])
def test_a_gap_is_refused(table, rows):
    part = table.rows(np.array(rows))
    with pytest.raises(ValueError, match="incomplete set certifies nothing"):
        OutcomeTotals(12).add(part)


def test_nothing_reached_has_no_mean():
    totals = OutcomeTotals(3)
    assert totals.mean_steps_to_goal is None
    assert totals.std_steps_to_goal is None
