"""The lakes: gymnasium's own rules, the protocol, and probabilities that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv
from scipy import stats

from sport_ray.bounds import scenario_bound
from sport_ray.constraints import RatioConstraint
from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.environments import gridworlds
from sport_ray.experiments.benchmark.environments.gridworld_tables import (
    Lake,
    least_violation,
    mean_steps,
    violation_probability,
)
from sport_ray.experiments.benchmark.environments.gridworlds import (
    ROUND,
    STRAIT,
    FrozenLake,
    ThinIce,
    successors,
)
from sport_ray.policies import FrozenPolicy, PolicyNetwork
from sport_ray.projected_ppo.environment import TrainingEnvironment
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.behaviour import Behaviour, ProjectedBehaviour
from sport_ray.rollouts.environment import GymnasiumScenarios
from sport_ray.tensors import require_tensor_environment
from sport_ray.tensors.running import can_run
from tests.exact_discrete import joint, table_policy

T = 40
ID = f"{gridworlds.__name__}:{gridworlds.FROZEN_LAKE}"


def soft_weights(lake: Lake, temperature: float, caution: float) -> np.ndarray:
    """Log weights (n, 4) that are good and wide: soft Q values, of 1 and −caution."""
    paid = np.zeros(lake.water + 1)
    paid[[lake.goal, lake.water]] = 1.0, -caution
    value = np.zeros_like(paid)
    for _ in range(200):
        wanted = lake.chances @ (paid + 0.95 * value)
        value = temperature * np.logaddexp.reduce(wanted / temperature, axis=1)
        value[[lake.goal, lake.water]] = 0.0
    return wanted[:-1] / temperature


def played(behaviour: Behaviour, lake: Lake) -> np.ndarray:
    """What a behaviour without memory draws from in each state, (n + 1, 4)."""
    seen = np.eye(lake.water + 1, lake.water)
    return joint(behaviour.step(seen, behaviour.start(len(seen)), None, np.zeros(len(seen))).chosen)


def both(alpha: float) -> tuple[BaseBehaviour, ProjectedBehaviour, Lake]:
    """A wide base on the strait, and a hasty policy projected onto α."""
    lake = Lake.of(STRAIT, 0.95, 0.0)
    policies: list[PolicyNetwork] = [
        table_policy(soft_weights(lake, temperature, caution), (4,))
        for temperature, caution in ((0.02, 5.0), (0.005, 0.0))
    ]
    base, task = map(FrozenPolicy, policies)
    return BaseBehaviour(base), ProjectedBehaviour(base, task, RatioConstraint(alpha=alpha)), lake


@pytest.mark.parametrize("rows", [STRAIT, [row.replace("T", "F") for row in ROUND]], ids=len)
def test_moves_are_those_of_gymnasium(rows):
    stock = FrozenLakeEnv(desc=list(rows), success_rate=0.9, is_slippery=True)
    lake = Lake.of(rows, 0.9, 0.5)
    holes = stock.desc.ravel() == b"H"
    for cell, actions in stock.P.items():
        for action, branches in actions.items():
            wanted = np.zeros(lake.water + 1)
            for chance, after, _, _ in branches:
                wanted[lake.water if holes[after] else after] += chance
            if stock.desc.ravel()[cell] not in (b"H", b"G"):
                np.testing.assert_allclose(lake.chances[cell, action], wanted, atol=1e-15)


@pytest.mark.parametrize("world", [FrozenLake, ThinIce])
def test_the_protocol_is_kept(world):
    require_tensor_environment(world, horizon=30, success_rate=0.7)


def test_thin_ice_breaks_as_often_as_it_says():
    lake = Lake.of(["STG"], 1.0, 0.3)
    right = np.tile(np.eye(4)[2], (4, 1))
    assert violation_probability(lake, right, 5) == pytest.approx(0.3)
    assert violation_probability(lake, right, 1) == 1.0
    assert mean_steps(lake, right, 5) == pytest.approx(2.0)
    assert lake.distance.tolist() == [2.0, 1.0, 0.0, 0.0]
    world = ThinIce(20_000, torch.device("cpu"), 5, ["STG"], 1.0, 0.3)
    world.reset(torch.ones(20_000, dtype=torch.bool), torch.arange(20_000))
    step = world.step(torch.full((20_000,), 2))
    broke = step.signals[:, 0]
    assert stats.binomtest(int(broke.sum()), 20_000, 0.3).pvalue > 1e-4
    assert not step.observation[broke].any()


def test_branches_have_the_chances_of_the_table():
    lake = Lake.of(ROUND, 0.9, 0.25)
    following, cumulative = successors(lake)
    for state, action in ((lake.start, 2), (114, 1), (lake.water, 0)):
        reached = np.zeros(lake.water + 1)
        levels = np.minimum(cumulative[state, action], 1.0)
        np.add.at(reached, following[state, action], np.diff(levels, prepend=0.0))
        np.testing.assert_allclose(reached, lake.chances[state, action], atol=1e-15)


def test_scenarios_certificate_and_bound_against_the_exact_truth():
    base, projected, lake = both(alpha := 1.03)
    exact = violation_probability(lake, played(base, lake), T)
    risk = violation_probability(lake, played(projected, lake), T)
    plan = ScenarioPlan(
        env_id=ID, property="(!hazard) U goal", horizon=T, root_seed=3, purpose="certify"
    )
    counts = {}
    for behaviour, truth in ((base, exact), (projected, risk)):
        table = run_scenarios(plan, behaviour, 0, 2_000)
        counts[truth] = count = int((~table.satisfied_by(T)).sum())
        assert stats.binomtest(count, 2_000, truth).pvalue > 1e-4
    assert exact <= scenario_bound(2_000, counts[exact], 1e-4)
    least = least_violation(lake, T)
    assert least < exact
    assert least < risk <= alpha**T * exact * (1.0 + 1e-9)
    steps = table.satisfied_at[table.satisfied_by(T)]
    off = steps.mean() - mean_steps(lake, played(projected, lake), T)
    assert abs(off) < 5.0 * steps.std() / np.sqrt(len(steps))
    assert mean_steps(lake, played(projected, lake), T) < mean_steps(lake, played(base, lake), T)


def test_one_by_one_the_scenarios_are_the_same():
    """As gymnasium makes them, and as training has them, copies side by side."""
    base, _, _ = both(1.03)
    plan = ScenarioPlan(
        env_id=ID, property="(!hazard) U goal", horizon=T, root_seed=5, purpose="certify"
    )
    assert not can_run(plan, base)  # indices have no form on a device yet
    together = run_scenarios(plan, base, 0, 30)
    alone = run_scenarios(plan, base, 0, 30, environment=GymnasiumScenarios(30, ID, {}, T))
    np.testing.assert_array_equal(together.satisfied_at, alone.satisfied_at)
    np.testing.assert_array_equal(together.total_reward, alone.total_reward)
    context = {"env_id": ID, "kwargs": {"horizon": T, "success_rate": 1.0}, "squash": "index"}
    context |= {"action_low": (0.0,), "action_high": (3.0,), "num_envs": 3}
    vector = TrainingEnvironment({**context, "ends_when_violated": plan.property})
    seen, _ = vector.reset(seed=1)
    assert (seen.argmax(axis=1) == STRAIT.index("SFFFFFFG") * 8).all()
    for _ in range(3):
        seen, *_ = vector.step(np.array([[3.0], [2.0], [0.0]]))
    assert seen[2].argmax() % 8 < 2 < seen[1].argmax() % 8


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["SFX", "FFG"], "expected equally long rows of SGFHT"),
        (["SF", "FFG"], "expected equally long rows"),
        (["SFF", "FFS"], "expected one S and one G"),
        (["SH", "HG"], "no way leads to G"),
    ],
)
def test_a_wrong_map_is_one_line(rows, told):
    with pytest.raises(UserError, match=told):
        Lake.of(rows, 0.9, 0.0)
