"""Scenarios of environments with habits: named by scenario and step, and closed in the end."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.comparators.presa.episodes import collect
from sport_ray.errors import UserError
from sport_ray.rollouts import ScenarioPlan, Tally, run_scenarios
from tests.sport_ray.envs.habits import CLOCK, HABITS, LATE, Habits, register

register()


def plan(habit: str, property_: str = "G !hazard", **more) -> ScenarioPlan:
    """Scenarios of the cart with a habit."""
    told = {"horizon": 6, "root_seed": 2, "purpose": "certify", **more}
    return ScenarioPlan(env_id=HABITS, env_kwargs={"habit": habit}, property=property_, **told)


@pytest.mark.parametrize("habit", ["raises", "short", "NaN reward", "no end", "text signal"])
def test_a_scenario_that_goes_wrong_is_named(walk_behaviour, habit):
    where = f"environment '{HABITS}', scenario 7, step {LATE}: "
    with pytest.raises(UserError, match=where):
        run_scenarios(plan(habit), walk_behaviour, 7, 5, slots=2)


@pytest.mark.parametrize(
    "habit", ["array reward", "array signal", "integer ends", "in place", "one buffer", "checks"]
)
def test_a_harmless_habit_changes_no_bit(walk_behaviour, habit):
    """Ends of one step, and nothing else, differ for the environment that ends at LATE."""
    wanted = run_scenarios(plan(""), walk_behaviour, 0, 12, slots=5)
    got = run_scenarios(plan(habit), walk_behaviour, 0, 12, slots=5)
    for name in ("robustness", "total_reward", "verdicts", "length"):
        if habit == "integer ends":
            assert (got.length == LATE).all()
        else:
            np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))


@pytest.mark.parametrize("property_", ["F goal", "(!hazard) U goal", "G !hazard"])
def test_booleans_give_the_verdicts_of_the_numbers_that_they_compare(walk_behaviour, property_):
    numbers = run_scenarios(plan("", property_), walk_behaviour, 0, 20)
    tally = Tally()
    booleans = run_scenarios(plan("Booleans", property_), walk_behaviour, 0, 20, tally=tally)
    tally.require_complete(20)
    np.testing.assert_array_equal(booleans.verdicts, numbers.verdicts)
    np.testing.assert_array_equal(booleans.violated_at, numbers.violated_at)
    assert set(np.abs(booleans.robustness)) == {1.0}


def test_the_same_as_numbers_is_refused_for_the_set(walk_behaviour):
    tally = Tally()
    for first in (0, 8):
        run_scenarios(plan("flags", "F goal"), walk_behaviour, first, 8, tally=tally)
    with pytest.raises(UserError, match=r"signal 'goal' of 'F goal' .* only ever was 0 or 1"):
        tally.require_complete(16)
    other = Tally()  # 'hazard' is no part of it
    run_scenarios(plan("", "F goal"), walk_behaviour, 0, 8, tally=other)
    other.require_complete(8)
    assert set(other.signals.kinds) == {"goal"}


def test_one_copy_gives_the_same_table_and_is_closed(walk_behaviour, robot_base):
    wanted = run_scenarios(plan(""), walk_behaviour, 0, 9)
    for _ in range(2):
        got = run_scenarios(plan("one copy", copies=1), walk_behaviour, 0, 9)
        np.testing.assert_array_equal(got.robustness, wanted.robustness)
        assert Habits.alive == 0
    with pytest.raises(UserError, match=r"set environment\.copies: 1"):
        run_scenarios(plan("one copy"), walk_behaviour, 0, 9)
    assert Habits.alive == 0
    with pytest.raises(UserError, match="needs the signal 'home'"):
        run_scenarios(plan("one copy", "F home", copies=1), walk_behaviour, 0, 9)
    assert Habits.alive == 0
    base = walk_behaviour.base
    episodes = collect(plan("one copy", copies=1), base.spec, base.distribution, 0, 3)
    assert len(episodes.lengths) == 3
    assert Habits.alive == 0


def test_copies_are_in_no_identity():
    assert plan("", copies=1).model_dump() == plan("").model_dump()
    assert plan("", environment_horizon=9).model_dump() != plan("").model_dump()
    with pytest.raises(ValueError, match="environment_horizon 5 lies below the horizon 6"):
        plan("", environment_horizon=5)


@pytest.mark.parametrize("horizon", [1, 3, 5])
def test_an_environment_never_sees_where_its_episodes_are_cut(walk_behaviour, horizon):
    """It sees its time limit: made for T it is another world than the one that was certified."""
    long = ScenarioPlan(
        env_id=CLOCK, property="G !hazard", horizon=6, root_seed=2, purpose="certify"
    )
    certified = run_scenarios(long, walk_behaviour, 0, 20)
    cut = long.model_copy(update={"horizon": horizon, "environment_horizon": 6})
    rows = run_scenarios(cut, walk_behaviour, 0, 20)
    np.testing.assert_array_equal(rows.satisfied_by(horizon), certified.satisfied_by(horizon))
    assert (rows.length == horizon).all()
    another = run_scenarios(long.model_copy(update={"horizon": horizon}), walk_behaviour, 0, 20)
    same = np.array_equal(another.robustness, rows.robustness)
    assert same == (horizon < 3)  # what is seen at step 1 moves the cart at step 3
