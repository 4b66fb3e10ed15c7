"""Who acts when: at the ends of the threshold, with and without a way back, whatever the slots."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.comparators.simplex import Switch, SwitchBehaviour
from sport_ray.constraints import Unconstrained
from sport_ray.policies import FrozenPolicy
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, run_scenarios

COLUMNS = ("length", "verdicts", "total_reward", "projected_steps", "sum_realised_log_ratio")


@pytest.fixture
def behaviour_at(walk_base, walk_task, near_monitor):
    def made(threshold: float, resume: float) -> SwitchBehaviour:
        return SwitchBehaviour(walk_base, Switch(walk_task, near_monitor, 12, threshold, resume))

    return made


def test_at_threshold_0_it_is_the_base_and_at_1_the_task_policy(
    behaviour_at, walk_plan, walk_base, walk_task
):
    """With the same streams: to the bit, in all that happens."""
    task = ProjectedBehaviour(walk_base, FrozenPolicy(walk_task), Unconstrained())
    for threshold, alone in ((0.0, BaseBehaviour(walk_base)), (1.0, task)):
        found = run_scenarios(walk_plan, behaviour_at(threshold, 0.5), 0, 60)
        same = run_scenarios(walk_plan, alone, 0, 60)
        for name in ("length", "verdicts", "robustness"):
            np.testing.assert_array_equal(getattr(found, name), getattr(same, name))
        acted = found.length - found.projected_steps
        assert (acted == (0 if threshold == 0.0 else found.length)).all()


def test_the_risk_is_the_monitor_s(behaviour_at):
    seen = np.array([[-0.5, 0.0], [0.0, 0.3], [0.7, 0.9]])
    found = behaviour_at(0.3, 0.5).risk(seen, np.array([0, 3, 9]))
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(4.0 * seen[:, 0])), rtol=1e-6)


@pytest.mark.parametrize(("resume", "expected"), [(0.5, [0, 1, 1, 0, 0]), (0.0, [0, 1, 1, 1, 1])])
def test_the_base_keeps_its_turn_until_the_risk_has_fallen(behaviour_at, resume, expected):
    """Risks of 0.25, 0.35, 0.2, 0.1 and 0.25 at a threshold of 0.3."""
    behaviour = behaviour_at(0.3, resume)
    risks = np.array([0.25, 0.35, 0.2, 0.1, 0.25])
    places = -np.log(risks / (1.0 - risks)) / 4.0
    state, turns = behaviour.start(1), []
    for taken, x in enumerate(places):
        step = behaviour.step(np.array([[x, 0.0]]), state, None, np.array([taken]))
        played, expected_law = step.chosen.arrays(), (step.base if step.projected[0] else step.task)
        for mine, its in zip(played, expected_law.arrays(), strict=True):
            np.testing.assert_array_equal(mine, its)
        state = behaviour.spend(state, step, np.zeros((1, 1)))
        turns.append(int(state[0, 0]))
    assert turns == expected


def test_the_table_does_not_depend_on_slots(behaviour_at, walk_plan):
    behaviour = behaviour_at(0.3, 0.5)
    one, many = (run_scenarios(walk_plan, behaviour, 0, 40, slots=n) for n in (1, 40))
    assert 0 < one.projected_steps.sum() < one.length.sum()
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))


def test_a_tighter_monitor_violates_less(behaviour_at, walk_plan):
    """The walk's base drifts to the goal, its task policy to the hazard."""
    counts = [
        run_scenarios(walk_plan, behaviour_at(threshold, 0.5), 0, 400).num_violations(12)
        for threshold in (0.05, 0.5, 1.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] < 0.8 * counts[2]


def test_policies_that_are_no_pair_are_refused(walk_base, walk_task, small_base, near_monitor):
    switch = Switch(walk_task, near_monitor, 12, 0.3, 0.5)
    with pytest.raises(ValueError, match="differ in family, sizes or mapping"):
        SwitchBehaviour(FrozenPolicy(small_base), switch)
