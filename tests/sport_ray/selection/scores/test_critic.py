"""The critic as a score: its rule by constraint, on disk, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sport_ray.constraints import RatioConstraint
from sport_ray.constraints.pathwise import PathwiseBudgetAll
from sport_ray.errors import UserError
from sport_ray.rollouts import run_scenarios
from sport_ray.samplers import PolicySampler
from sport_ray.selection import SelectionBehaviour, Selector, load_task_policy, save_task_policy
from sport_ray.selection.scores import Atoms, Critic, ScoreNetwork, ScoreSpec
from sport_ray.selection.scores.rules import greedy, quantile

TAKEN = np.zeros(6, dtype=np.int64)


@pytest.fixture
def network() -> ScoreNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        spec = ScoreSpec(
            observation_size=2,
            action_size=1,
            atoms=Atoms.of_steps(12),
            embedding=(8,),
            hidden=(8, 8),
            squash="tanh",
        )
        return ScoreNetwork(spec)


@pytest.fixture
def states() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 2)), rng.normal(size=(6, 9, 1)), rng.uniform(0.0, 2.0, size=6)


def test_the_rule_suits_the_constraint(network, states, walk_base):
    critic, sampler = Critic(network, sharpness=1.5), PolicySampler(walk_base)
    observation, candidates, limits = states
    laws = critic.laws(observation, candidates)
    budget = critic.bound_to(sampler, PathwiseBudgetAll(log_budget=1.0))
    ratio = critic.bound_to(sampler, RatioConstraint(alpha=1.1))
    np.testing.assert_array_equal(
        budget.log_weights(*states, TAKEN), quantile(laws, limits, sharpness=1.5)
    )
    wanted = greedy(laws, network.spec.atoms.values, limits)
    np.testing.assert_array_equal(ratio.log_weights(*states, TAKEN), wanted)
    named = Critic(network, "greedy").bound_to(sampler, PathwiseBudgetAll(log_budget=1.0))
    np.testing.assert_array_equal(named.log_weights(*states, TAKEN), wanted)


@pytest.mark.parametrize("rule", ["greedy", "quantile"])
def test_weights_of_a_row_depend_on_itself_alone(network, states, rule):
    critic = Critic(network, rule)
    whole = critic.log_weights(*states, TAKEN)
    assert np.ptp(whole[np.isfinite(whole)]) > 0.01
    for row in range(6):
        one = critic.log_weights(*(part[row : row + 1] for part in states), TAKEN[:1])
        np.testing.assert_array_equal(one[0], whole[row])


def test_what_is_read_is_what_was_written(tmp_path, network, states):
    critic = Critic(network, "quantile", 1.75)
    digest = save_task_policy(tmp_path, Selector(16, critic), {})
    found = load_task_policy(tmp_path)
    assert found.digest == digest
    read = found.policy.score
    assert (read.rule, read.sharpness, read.spec) == ("quantile", 1.75, critic.spec)
    np.testing.assert_array_equal(
        read.log_weights(*states, TAKEN), critic.log_weights(*states, TAKEN)
    )
    assert Selector(16, Critic(network, "quantile", 1.5)).digest != digest


def test_scenarios_stay_within_ratio_and_budget(network, walk_base, walk_plan):
    """Whatever an untrained critic says, the constraint is kept on every path."""
    for constraint, limit in (
        (RatioConstraint(alpha=1.2), 12 * np.log(1.2)),
        (PathwiseBudgetAll(log_budget=0.7), 0.7),
    ):
        selector = Selector(8, Critic(network))
        behaviour = SelectionBehaviour(PolicySampler(walk_base), selector, constraint)
        found = run_scenarios(walk_plan, behaviour, 0, 60)
        assert 0.0 < found.max_prefix_log_ratio.max() <= limit + 1e-9


def test_what_does_not_fit_is_refused_in_one_line(network, states):
    observation, candidates, limits = states
    critic = Critic(network, "greedy")
    with pytest.raises(UserError, match="observations of 3 and actions of 1 entries"):
        critic.log_weights(np.zeros((6, 3)), candidates, limits, TAKEN)
    with pytest.raises(UserError, match="rule is 'best'"):
        Critic(network, "best")
    with pytest.raises(UserError, match="sharpness is 0"):
        Critic(network, "greedy", 0.0)
    timed = ScoreNetwork(network.spec.model_copy(update={"horizon": 5}))
    with pytest.raises(UserError, match="it sees the time"):
        Critic(timed).laws(observation, candidates)
    with torch.no_grad():
        network.act.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        Critic(network)
    spec = network.spec.model_dump()
    for change, message in (
        ({"action_mean": (0.0, 0.0)}, "action_mean has 2 entries, actions 1"),
        ({"action_mean": (0.0,)}, "action_mean and action_scale belong together"),
        ({"squash": "clip"}, "needs action_low"),
        ({"embedding": (10_000, 10_000)}, "weights is beyond"),
        ({"normalization": {"mean": (0.0,), "scale": (1.0,)}}, "normalization has 1 entries"),
    ):
        with pytest.raises(ValidationError, match=message):
            ScoreSpec.model_validate({**spec, **change})


def test_damaged_weights_are_refused(network):
    critic = Critic(network)
    fields, arrays = critic.to_json(), critic.arrays()
    with pytest.raises(ValueError, match="expected float32"):
        Critic.from_parts(fields, {**arrays, "act.weight": np.zeros((8, 1))})
    with pytest.raises(ValueError, match="do not fit"):
        Critic.from_parts(fields, {**arrays, "act.weight": np.zeros((8, 2), dtype=np.float32)})
    assert not any(array.flags.writeable for array in arrays.values())
