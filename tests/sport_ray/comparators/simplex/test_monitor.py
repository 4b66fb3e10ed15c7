"""The monitor against the exact risk of handing over, on a lake where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from sport_ray.comparators.simplex import (
    MonitorOptions,
    Switch,
    SwitchBehaviour,
    hand_overs,
    learned_monitor,
)
from sport_ray.comparators.simplex.behaviour import risk_of
from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.environments import gridworlds
from sport_ray.experiments.benchmark.environments.gridworld_tables import (
    Lake,
    violation_probability,
)
from sport_ray.policies import FrozenPolicy, policy_digest
from sport_ray.rollouts import ScenarioPlan, run_scenarios
from tests.exact_discrete import joint, table_policy
from tests.experiments.benchmark.environments.test_gridworlds import soft_weights

T = 30


@pytest.fixture(scope="module")
def lake():
    return Lake.of(gridworlds.STRAIT, 0.9, 0.0)


@pytest.fixture(scope="module")
def policies(lake):
    weights = [soft_weights(lake, *how) for how in ((0.02, 5.0), (0.02, 0.0))]
    return [FrozenPolicy(table_policy(one, (4,))) for one in weights]


@pytest.fixture(scope="module")
def plan():
    return ScenarioPlan(
        env_id=f"{gridworlds.__name__}:{gridworlds.FROZEN_LAKE}",
        env_kwargs={"success_rate": 0.9},
        property="(!hazard) U goal",
        horizon=T,
        root_seed=3,
        purpose="simplex",
    )


def exact_risk(lake: Lake, base: np.ndarray, task: np.ndarray) -> np.ndarray:
    """Q_t(s) = Σ_a π(a|s) Σ_z P(z|s,a) V_{t+1}(z), with V the base's own: (T, cells)."""
    ends = np.zeros(len(lake.chances))
    ends[lake.water] = 1.0
    value = np.where(np.arange(len(ends)) == lake.goal, 0.0, 1.0)
    found = np.empty((T, len(ends) - 1))
    for step in reversed(range(T)):
        found[step] = np.einsum("sa,saz,z->s", task, lake.chances, value)[:-1]
        value = np.einsum("sa,saz,z->s", base, lake.chances, value)
        value[lake.goal], value[lake.water] = 0.0, 1.0
    return found


@pytest.mark.slow
def test_it_learns_the_exact_risk_of_one_more_action(lake, policies, plan):
    base, task = policies
    given = hand_overs(plan, base, task, 1_500)
    monitor, loss = learned_monitor(given, T, MonitorOptions(updates=800), seed=0)
    seen = np.eye(lake.water + 1, lake.water)
    laws = [joint(one.distribution(seen)) for one in policies]
    exact = exact_risk(lake, *laws)
    acts = given.task_acts
    cells, steps = given.steps.observation[acts].argmax(axis=1), given.steps.step[acts]
    wanted = np.clip(exact[steps, cells], 0.0, 1.0)
    found = risk_of(FrozenPolicy(monitor), given.steps.observation[acts], steps, T)
    assert np.ptp(wanted) > 0.3  # there is something to be told apart
    assert np.abs(found - wanted).mean() < 0.05
    assert np.corrcoef(found, wanted)[0, 1] > 0.9
    assert loss < 1.2 * special.entr([wanted, 1.0 - wanted]).sum(axis=0).mean()


@pytest.mark.slow
def test_a_switch_without_hysteresis_against_its_exact_risk(lake, policies, plan):
    """With resume = 1 it has no memory: a law of cell and step, whose risk is known exactly."""
    base, task = policies
    given = hand_overs(plan, base, task, 300)
    monitor, _ = learned_monitor(given, T, MonitorOptions(hidden=(16,), updates=150), seed=0)
    behaviour = SwitchBehaviour(base, Switch(task.network, monitor, T, 0.2, 1.0))
    seen, state = np.eye(lake.water + 1, lake.water), np.zeros((lake.water + 1, 1))
    steps = [behaviour.step(seen, state, None, np.full(len(seen), t)) for t in range(T)]
    turns = np.stack([step.projected for step in steps])
    assert 0.1 < turns.mean() < 0.9
    exact = violation_probability(lake, np.stack([joint(step.chosen) for step in steps]), T)
    outcomes = run_scenarios(plan, behaviour, 300, 4_000)
    low, high = stats.binom.interval(1.0 - 1e-6, 4_000, exact)
    assert low <= outcomes.num_violations(T) <= high
    assert outcomes.projected_steps.sum() > 0


def test_the_seed_decides(policies, plan):
    given = hand_overs(plan, *policies, 60)
    options = MonitorOptions(hidden=(8,), updates=20)
    digests = [policy_digest(learned_monitor(given, T, options, one)[0]) for one in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_too_few_rollouts_are_one_line(policies, plan):
    given = hand_overs(plan, *policies, 4)
    with pytest.raises(UserError, match=r"too few to learn a monitor from: raise task_policies"):
        learned_monitor(given, T, MonitorOptions(), 0)
