"""The outcome table."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.properties.reach_avoid import NEVER
from sport_ray.rollouts import Outcomes


def table(index: list[int], satisfied_at: list[int]) -> Outcomes:
    """A table with these two columns, the others being the index again."""
    columns = {name: np.array(index) for name in Outcomes.__dataclass_fields__}
    return Outcomes(**{**columns, "satisfied_at": np.array(satisfied_at)})


def test_violations_at_every_horizon():
    outcomes = table([0, 1, 2, 3], [3, NEVER, 0, 5])
    assert [outcomes.num_violations(t) for t in range(7)] == [3, 3, 3, 2, 2, 1, 1]
    assert outcomes.satisfied_by(3).tolist() == [True, False, True, False]
    assert outcomes.num_scenarios == 4


def test_concatenation_sorts_whole_rows():
    joined = Outcomes.concatenate([table([4, 5], [40, 50]), table([2], [20]), table([0], [0])])
    assert joined.index.tolist() == [0, 2, 4, 5]
    for name, values in joined.to_arrays().items():
        assert values.tolist() == ([0, 20, 40, 50] if name == "satisfied_at" else [0, 2, 4, 5])


@pytest.mark.parametrize("parts", [[[0, 1], [1, 2]], [[3, 3]]])
def test_a_scenario_counts_once(parts):
    with pytest.raises(ValueError, match=r"scenario [13] occurs twice"):
        Outcomes.concatenate([table(part, part) for part in parts])


def test_no_parts_are_no_table():
    with pytest.raises(ValueError, match="at least one table"):
        Outcomes.concatenate([])
