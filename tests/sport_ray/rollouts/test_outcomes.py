"""The outcome table."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.properties import NEVER
from sport_ray.rollouts import Outcomes
from sport_ray.rollouts.outcomes import pack_verdicts, unpack_verdicts


def table(index: list[int], satisfied_at: list[int]) -> Outcomes:
    """A table of these reach times (T_max = 50), the other columns being the index again."""
    columns = {name: np.array(index) for name in Outcomes.__dataclass_fields__}
    at = np.array(satisfied_at)
    by_step = (at[:, None] != NEVER) & (np.arange(51) >= at[:, None])
    return Outcomes(**{**columns, "satisfied_at": at, "verdicts": pack_verdicts(by_step)})


def test_violations_at_every_horizon():
    outcomes = table([0, 1, 2, 3], [3, NEVER, 0, 5])
    assert [outcomes.num_violations(t) for t in range(1, 7)] == [3, 3, 2, 2, 1, 1]
    assert outcomes.satisfied_by(3).tolist() == [True, False, True, False]
    assert outcomes.num_scenarios == 4


def test_concatenation_sorts_whole_rows():
    joined = Outcomes.concatenate([table([4, 5], [40, 50]), table([2], [20]), table([0], [0])])
    assert joined.index.tolist() == [0, 2, 4, 5]
    verdicts = unpack_verdicts(joined.verdicts, 50)
    assert verdicts.sum(axis=1).tolist() == [50, 31, 11, 1]
    for name, values in joined.to_arrays().items():
        if name == "verdicts":
            continue
        assert values.tolist() == ([0, 20, 40, 50] if name == "satisfied_at" else [0, 2, 4, 5])


@pytest.mark.parametrize("horizon", [0, -1, 57])
def test_a_horizon_that_was_not_run(horizon):
    with pytest.raises(ValueError, match="horizon must lie in"):
        table([0], [3]).satisfied_by(horizon)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 100])
def test_packed_verdicts_come_back(width):
    by_step = np.random.default_rng(width).random((20, width + 1)) < 0.5
    packed = pack_verdicts(by_step)
    assert packed.shape == (20, -(-width // 8))
    np.testing.assert_array_equal(unpack_verdicts(packed, width), by_step[:, 1:])


@pytest.mark.parametrize("parts", [[[0, 1], [1, 2]], [[3, 3]]])
def test_a_scenario_counts_once(parts):
    with pytest.raises(ValueError, match=r"scenario [13] occurs twice"):
        Outcomes.concatenate([table(part, part) for part in parts])


def test_no_parts_are_no_table():
    with pytest.raises(ValueError, match="at least one table"):
        Outcomes.concatenate([])
