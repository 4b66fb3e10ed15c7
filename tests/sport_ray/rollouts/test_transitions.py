"""The steps of scenarios: those of the very scenarios that were counted, on disk and back."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.rollouts import run_scenarios
from sport_ray.rollouts.transitions import (
    Transitions,
    collect_transitions,
    load_transitions,
    save_transitions,
)


@pytest.fixture
def kept(walk_plan, walk_behaviour) -> Transitions:
    return collect_transitions(walk_plan, walk_behaviour, 0, 40)[0]


def test_every_step_of_every_scenario_in_order(walk_plan, walk_behaviour, kept):
    outcomes = run_scenarios(walk_plan, walk_behaviour, 0, 40)
    assert len(kept) == outcomes.length.sum()
    assert kept.num_scenarios == 40
    for index in range(40):
        mine = kept.rows(kept.scenario == index)
        np.testing.assert_array_equal(mine.step, np.arange(outcomes.length[index]))
        assert (mine.length == outcomes.length[index]).all()
        assert (mine.satisfied_at == outcomes.satisfied_at[index]).all()
        assert (mine.violated_at == outcomes.violated_at[index]).all()
        # The walk's observation tells the time; the next position is this one, moved by the action.
        np.testing.assert_allclose(mine.observation[:, 1], mine.step / 10.0, atol=1e-6)
        moved = np.diff(mine.observation[:, 0]) - np.tanh(mine.action[:-1, 0]) - 0.3
        assert np.abs(moved).max(initial=0.0) < 0.3 * 6.0


def test_how_they_are_cut_into_portions_changes_nothing(walk_plan, walk_behaviour, kept):
    parts = [collect_transitions(walk_plan, walk_behaviour, first, 20)[0] for first in (0, 20)]
    joined = Transitions.concatenate(parts)
    for field in fields(Transitions):
        np.testing.assert_array_equal(getattr(joined, field.name), getattr(kept, field.name))


def test_on_disk_and_back(tmp_path, kept):
    path = tmp_path / "transitions.parquet"
    save_transitions(path, kept, "abc")
    found = load_transitions(path, "abc")
    for field in fields(Transitions):
        value = getattr(found, field.name)
        np.testing.assert_array_equal(value, getattr(kept, field.name))
        assert value.dtype == getattr(kept, field.name).dtype
    assert [one.name for one in tmp_path.iterdir()] == ["transitions.parquet"]


def test_what_is_missing_damaged_or_of_another_certificate_is_said_in_one_line(tmp_path, kept):
    path = tmp_path / "transitions.parquet"
    with pytest.raises(UserError, match=r"set certificate\.transitions to a number of scenarios"):
        load_transitions(path, "abc")
    save_transitions(path, kept, "abc")
    with pytest.raises(UserError, match="is of another certificate"):
        load_transitions(path, "abd")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="is damaged") as caught:
        load_transitions(path, "abc")
    assert "\n" not in str(caught.value)
