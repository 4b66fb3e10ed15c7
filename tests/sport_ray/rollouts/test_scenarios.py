"""Scenarios: each planned one once, to its end, and the same bits however they are arranged."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.families import Gaussian
from sport_ray.properties import NEVER
from sport_ray.rollouts import (
    BaseBehaviour,
    Outcomes,
    ProjectedBehaviour,
    ScenarioAborted,
    ScenarioPlan,
    Tally,
    run_chosen,
    run_scenarios,
    seeding,
)
from sport_ray.rollouts.environment import usual_slots


def assert_same(got: Outcomes, want: Outcomes) -> None:
    """Every column equal to the bit."""
    wanted = want.to_arrays()
    for name, values in got.to_arrays().items():
        assert values.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)


@pytest.mark.parametrize("slots", [1, 7, 64, 256])
def test_the_table_does_not_depend_on_the_number_of_slots(walk_plan, walk_behaviour, slots):
    wanted = run_scenarios(walk_plan, walk_behaviour, 0, 70, slots=33)
    assert_same(run_scenarios(walk_plan, walk_behaviour, 0, 70, slots=slots), wanted)


@pytest.mark.parametrize("slots", [1, 7, 64])
@pytest.mark.parametrize("alpha", [None, 1.2])
def test_nor_for_the_point_robot(robot_plan, robot_base, robot_task, slots, alpha):
    behaviour = (
        BaseBehaviour(robot_base)
        if alpha is None
        else ProjectedBehaviour(robot_base, robot_task, RatioConstraint(alpha))
    )
    wanted = run_scenarios(robot_plan, behaviour, 0, 40)
    assert_same(run_scenarios(robot_plan, behaviour, 0, 40, slots=slots), wanted)


@pytest.mark.parametrize("cuts", [[1], [30], [7, 8, 50], range(10, 70, 10)])
def test_nor_on_how_they_are_split(walk_plan, walk_behaviour, cuts):
    edges = [0, *cuts, 70]
    parts = [
        run_scenarios(walk_plan, walk_behaviour, first, end - first)
        for first, end in itertools.pairwise(edges)
    ]
    wanted = run_scenarios(walk_plan, walk_behaviour, 0, 70)
    assert_same(Outcomes.concatenate(parts[::-1]), wanted)


def test_some_scenarios_are_those_rows_of_the_table(walk_plan, walk_behaviour):
    """In any order: the rows come sorted."""
    table = run_scenarios(walk_plan, walk_behaviour, 0, 70)
    tally = Tally()
    some = run_chosen(walk_plan, walk_behaviour, np.array([41, 3, 69, 5]), slots=2, tally=tally)
    assert_same(some, table.rows(np.array([3, 5, 41, 69])))
    assert (tally.started, tally.finished) == (4, 4)


@pytest.mark.parametrize("numbers", [[], [-1], [2, 2], [[1], [2]]])
def test_numbers_that_name_no_set_are_refused(walk_plan, walk_behaviour, numbers):
    with pytest.raises(ValueError, match=r"^scenarios"):
        run_chosen(walk_plan, walk_behaviour, np.array(numbers, dtype=np.int64))


@pytest.mark.parametrize("alpha", [None, 1.2])
def test_with_numpys_own_generators_the_table_is_the_same(
    monkeypatch, robot_plan, robot_base, robot_task, alpha
):
    """What is done where the compiled streams differ from the installed numpy's."""
    behaviour = (
        BaseBehaviour(robot_base)
        if alpha is None
        else ProjectedBehaviour(robot_base, robot_task, RatioConstraint(alpha))
    )
    noise = {"actuation_noise": 0.1, "start_noise": 0.02}
    plan = robot_plan.model_copy(update={"env_kwargs": {**robot_plan.env_kwargs, **noise}})
    wanted = run_scenarios(plan, behaviour, 0, 40, slots=9)
    monkeypatch.setattr(seeding, "as_numpy", lambda: False)
    assert_same(run_scenarios(plan, behaviour, 0, 40, slots=9), wanted)


def test_more_slots_where_they_pay_and_fewer_where_traces_are_long():
    robot = "sport_ray/PointReachAvoid-v0"
    assert usual_slots(robot, 100) == 1024
    assert usual_slots(robot, 1_000) == 262
    assert usual_slots(robot, 10**6) == usual_slots("Pendulum-v1", 100) == 256


@pytest.mark.parametrize(("first", "count", "slots"), [(0, 1, 256), (0, 100, 9), (12, 30, 64)])
def test_every_planned_scenario_is_there_once(walk_plan, walk_behaviour, first, count, slots):
    outcomes = run_scenarios(walk_plan, walk_behaviour, first, count, slots=slots)
    np.testing.assert_array_equal(outcomes.index, np.arange(first, first + count))


def test_every_scenario_runs_to_its_own_end(walk_plan, walk_behaviour):
    outcomes = run_scenarios(walk_plan, walk_behaviour, 0, 300)
    satisfied, entered = outcomes.satisfied_at != NEVER, outcomes.violated_at != NEVER
    timeout = ~satisfied & ~entered
    assert min(satisfied.sum(), entered.sum(), timeout.sum()) >= 10  # all three occur
    np.testing.assert_array_equal(outcomes.length[satisfied], outcomes.satisfied_at[satisfied])
    np.testing.assert_array_equal(outcomes.length[entered], outcomes.violated_at[entered])
    assert (outcomes.length[timeout] == walk_plan.horizon).all()
    np.testing.assert_array_equal(outcomes.robustness >= 0, satisfied)


def test_a_shorter_horizon_is_a_prefix(walk_plan, walk_behaviour):
    """The long table answers for every T as a fresh run with that horizon would."""
    outcomes = run_scenarios(walk_plan, walk_behaviour, 0, 200)
    counts = [outcomes.num_violations(t) for t in range(1, walk_plan.horizon + 1)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    for horizon in (1, 2, 5, 11):
        short = walk_plan.model_copy(update={"horizon": horizon})
        fresh = run_scenarios(short, walk_behaviour, 0, 200)
        assert fresh.num_violations(horizon) == counts[horizon - 1]
        np.testing.assert_array_equal(fresh.satisfied_by(horizon), outcomes.satisfied_by(horizon))
        np.testing.assert_array_equal(fresh.length, np.minimum(outcomes.length, horizon))


def first_to_finish(outcomes: Outcomes, slots: int, wanted: int) -> list[int]:
    """Scenarios in the order in which ``slots`` environments side by side would finish them."""
    clocks, ends = np.zeros(slots, dtype=int), []
    for index, length in enumerate(outcomes.length):
        slot = int(np.argmin(clocks))
        clocks[slot] += length
        ends.append((int(clocks[slot]), index))
    return [index for _, index in sorted(ends)[:wanted]]


def test_the_first_to_finish_are_biased_and_ours_are_not(lottery_plan, walk_behaviour):
    """P(violation) = 1/2 exactly; violating takes 20 times as long."""
    outcomes = run_scenarios(lottery_plan, walk_behaviour, 0, 1_000, slots=16)
    count = 200
    ours = int((outcomes.satisfied_at[:count] == NEVER).sum())
    assert stats.binomtest(ours, count, 0.5).pvalue > 1e-3
    assert stats.binomtest(outcomes.num_violations(20), 1_000, 0.5).pvalue > 1e-3
    quick = first_to_finish(outcomes, slots=64, wanted=count)
    theirs = int((outcomes.satisfied_at[quick] == NEVER).sum())
    assert stats.binomtest(theirs, count, 0.5, alternative="less").pvalue < 1e-6


@pytest.mark.parametrize("change", [{"purpose": "evaluate"}, {"purpose": "base"}, {"root_seed": 6}])
def test_other_purposes_and_seeds_are_fresh(walk_plan, walk_behaviour, change):
    one = run_scenarios(walk_plan, walk_behaviour, 0, 100)
    other = run_scenarios(walk_plan.model_copy(update=change), walk_behaviour, 0, 100)
    assert not np.intersect1d(one.robustness, other.robustness).size
    assert abs(stats.pearsonr(one.robustness, other.robustness).statistic) < 0.35


def test_scenarios_do_not_repeat_each_other(walk_plan, walk_behaviour):
    robustness = run_scenarios(walk_plan, walk_behaviour, 0, 400).robustness
    assert np.unique(robustness).size == 400
    neighbours = stats.pearsonr(robustness[:-1], robustness[1:])
    assert neighbours.pvalue > 1e-3


def test_running_again_changes_nothing(robot_plan, robot_base):
    behaviour = BaseBehaviour(robot_base)
    assert_same(*(run_scenarios(robot_plan, behaviour, 5, 20) for _ in range(2)))


def test_the_base_spends_nothing(robot_plan, robot_base):
    outcomes = run_scenarios(robot_plan, BaseBehaviour(robot_base), 0, 20)
    for name, values in outcomes.to_arrays().items():
        if "log_ratio" in name or name in ("sum_kl_to_base", "sum_task_distance"):
            assert not values.any(), name
    assert not outcomes.projected_steps.any()


def test_at_alpha_one_the_projection_is_the_base(robot_plan, robot_base, robot_task):
    projected = ProjectedBehaviour(robot_base, robot_task, RatioConstraint(1.0))
    got = run_scenarios(robot_plan, projected, 0, 20)
    want = run_scenarios(robot_plan, BaseBehaviour(robot_base), 0, 20)
    for name in ("length", "satisfied_at", "violated_at", "robustness"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    assert (got.max_log_ratio == 0.0).all()
    np.testing.assert_array_equal(got.projected_steps, got.length)


@pytest.mark.parametrize("alpha", [1.05, 1.5, 10.0])
def test_no_step_exceeds_alpha(robot_plan, robot_base, robot_task, alpha):
    projected = ProjectedBehaviour(robot_base, robot_task, RatioConstraint(alpha))
    outcomes = run_scenarios(robot_plan, projected, 0, 20)
    assert (outcomes.max_log_ratio <= math.log(alpha)).all()
    assert (outcomes.max_log_ratio > 0.0).all()
    # What was sampled cannot have spent more than the largest ratio at each step.
    rounding = 1e-12 * outcomes.length
    assert (outcomes.sum_realised_log_ratio <= outcomes.sum_log_ratio + rounding).all()


def test_the_realised_ratio_averages_to_the_divergence(walk_plan, walk_base, walk_behaviour):
    """E[Σ log π/π_base] = E[Σ KL(π‖π_base)]: the bookkeeping agrees with the sampling."""

    class Narrowed(BaseBehaviour):
        """The base with half its std, so a log ratio of log 2 at most."""

        def step(self, observation, state, draws=None, taken=None):
            step = super().step(observation, state, draws, taken)
            ratio = np.full(len(observation), np.log(2.0))
            half = Gaussian(step.base.mean, step.base.std / 2)
            return step._replace(chosen=half, max_log_ratio=ratio)

    outcomes = run_scenarios(walk_plan, Narrowed(walk_base), 0, 1_000)
    difference = outcomes.sum_realised_log_ratio - outcomes.sum_kl_to_base
    assert outcomes.sum_kl_to_base.min() > 0.0
    assert stats.ttest_1samp(difference, 0.0).pvalue > 1e-3
    np.testing.assert_allclose(outcomes.sum_log_ratio, outcomes.length * np.log(2.0))


def test_the_observer_sees_every_step_once(robot_plan, robot_base):
    seen: list[tuple[int, int]] = []
    ends: dict[int, int] = {}
    poses = np.full((30, 26, 3), np.nan)

    def observer(scenario, step, gaussians, pose) -> None:
        assert len(scenario) == len(pose)
        if gaussians is None:
            ends.update(zip(scenario.tolist(), step.tolist(), strict=True))
        else:
            assert len(gaussians.chosen) == len(scenario)
            seen.extend(zip(scenario.tolist(), step.tolist(), strict=True))
        poses[scenario, step] = pose

    outcomes = run_scenarios(
        robot_plan, BaseBehaviour(robot_base), 0, 30, slots=8, observer=observer
    )
    wanted = [(i, t) for i, length in enumerate(outcomes.length) for t in range(length)]
    assert sorted(seen) == wanted
    assert [ends[i] for i in range(30)] == outcomes.length.tolist()
    assert np.isfinite(poses[:, 0]).all()


def test_starts_and_ends_are_counted_where_they_happen(walk_plan, walk_behaviour):
    tally = Tally(5, 5, 0)
    run_scenarios(walk_plan, walk_behaviour, 3, 20, slots=6, tally=tally)
    assert tally == Tally(25, 25, 0)


def test_a_time_limit_of_the_environment_is_no_end(walk_plan, walk_behaviour):
    """`G !hazard` undecided after 4 of 12 steps is not satisfied; entering the hazard is an end."""
    plan = walk_plan.model_copy(
        update={"property": "G !hazard", "env_kwargs": {"spoil": "stops early"}}
    )
    with pytest.raises(ScenarioAborted, match="cut off"):
        run_scenarios(plan, walk_behaviour, 0, 40)
    short = plan.model_copy(update={"horizon": 4})
    assert run_scenarios(short, walk_behaviour, 0, 40).num_scenarios == 40


def test_every_horizon_of_any_property(walk_plan, walk_behaviour):
    """A table of long episodes answers for T as scenarios cut at T would, whatever the formula."""
    for formula in ("G !hazard", "F goal & G (hazard -> F[0,3] goal)", "X X !goal | F[2,5] goal"):
        plan = walk_plan.model_copy(update={"property": formula})
        outcomes = run_scenarios(plan, walk_behaviour, 0, 150)
        for horizon in (1, 3, 7, 12):
            short = plan.model_copy(update={"horizon": horizon})
            fresh = run_scenarios(short, walk_behaviour, 0, 150)
            np.testing.assert_array_equal(
                fresh.satisfied_by(horizon), outcomes.satisfied_by(horizon), err_msg=formula
            )
            np.testing.assert_array_equal(fresh.robustness >= 0, outcomes.satisfied_by(horizon))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"count": 0}, "count must"), ({"first": -1}, "first must"), ({"slots": 0}, "slots must")],
)
def test_nothing_to_run_is_refused(walk_plan, walk_behaviour, change, message):
    with pytest.raises(ValueError, match=message):
        run_scenarios(walk_plan, walk_behaviour, **{"first": 0, "count": 1, **change})


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"property": "(!hazard) U home"}, "needs the signal 'home'.*provides goal, hazard"),
        ({"property": "G !!hazard &"}, "column 13"),
        ({"env_kwargs": {"spoil": "stops early"}}, "cut off .* after 4 of 12 steps"),
        ({"env_kwargs": {"spoil": "no signals"}}, r'gives no info\["signals"\]'),
        ({"env_kwargs": {"spoil": "signal goes"}}, "signal 'goal' is missing"),
        ({"env_kwargs": {"spoil": "NaN signal"}}, "signal 'hazard' is NaN"),
        (
            {"env_kwargs": {"spoil": "NaN observation"}},
            r"step 2: the observation is nan at",
        ),
        (
            {"env_kwargs": {"spoil": "wide observation"}},
            r"has shape \(3,\), its obs.*\(2,\)",
        ),
        (
            {"env_kwargs": {"spoil": "discrete"}},
            "takes actions in Discrete.*real numbers",
        ),
        ({"env_kwargs": {"spoil": "two actions"}}, r"actions of shape \(2,\).*gives \(1,\)"),
        ({"env_kwargs": {"spoilt": 1}}, "cannot be made.*'spoilt'"),
        ({"env_id": "sport_ray_tests/Wolk-v0"}, "'sport_ray_tests/Wolk-v0' cannot be made"),
        ({"env_id": "CartPole-v1"}, r"CartPole-v1.*gives no info\[\"signals\"\]"),
        ({"env_id": "no_such_module:X-v0"}, "cannot be made"),
    ],
)
def test_an_environment_that_does_not_fit_is_one_clear_line(
    walk_plan, walk_behaviour, update, message
):
    with pytest.raises(UserError, match=message) as caught:
        run_scenarios(walk_plan.model_copy(update=update), walk_behaviour, 0, 20)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kwargs", [{"layuot": "fixed"}, {"layout": "maze"}, {"num_slots": 3}])
def test_a_misspelt_argument_of_the_robot_is_one_clear_line(robot_plan, robot_base, kwargs):
    plan = robot_plan.model_copy(update={"env_kwargs": kwargs})
    with pytest.raises(UserError, match=next(iter(kwargs))):
        run_scenarios(plan, BaseBehaviour(robot_base), 0, 1)


@pytest.mark.parametrize("field", ["horizon", "root_seed", "purpose", "surprise"])
def test_a_plan_out_of_range_is_refused(walk_plan, field):
    values = {"horizon": 0, "root_seed": -1, "purpose": "practice", "surprise": 1}
    with pytest.raises(ValueError, match=field):
        ScenarioPlan(**{**walk_plan.model_dump(), field: values[field]})
