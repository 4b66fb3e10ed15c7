"""A network's log weights: equal at first, the same whatever the batch, whole on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from sport_ray.constraints import RatioConstraint, constraint_from_json
from sport_ray.errors import UserError
from sport_ray.policies import FrozenPolicy
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.observations import Normalization
from sport_ray.samplers import PolicySampler
from sport_ray.selection import SelectionBehaviour, Selector, load_task_policy
from sport_ray.selection.scores.preference import Preference, PreferenceNetwork, PreferenceSpec

SPEC = PreferenceSpec(observation_size=3, action_size=2, embedding=(8,), hidden=(8, 4))


def network(**changes) -> PreferenceNetwork:
    """One whose last layer is not zero."""
    made = PreferenceNetwork(SPEC.model_copy(update=changes))
    for value in made.layers[-1].parameters():
        torch.nn.init.normal_(value)
    return made


def inputs(n: int = 7, m: int = 5):
    rng = np.random.default_rng(0)
    taken = np.arange(n)
    return rng.normal(size=(n, 3)), rng.normal(size=(n, m, 2)), rng.uniform(0.0, 2.0, size=n), taken


def test_a_new_network_gives_equal_weights():
    score = Preference(PreferenceNetwork(SPEC), ActionMapping("none"))
    assert not score.log_weights(*inputs()).any()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"limit_scale": 2.0},
        {"normalization": Normalization(mean=(1.0, 2.0, 3.0), scale=(2.0, 2.0, 2.0), clip=1.0)},
    ],
)
def test_the_outputs_are_the_network_s_of_the_mapped_action(changes):
    made = network(**changes)
    observation, candidates, limits, taken = inputs()
    found = Preference(made, ActionMapping("tanh")).log_weights(
        observation, candidates, limits, taken
    )
    with torch.no_grad():
        single = [torch.from_numpy(np.float32(x)) for x in (observation, np.tanh(candidates))]
        expected = made(*single, torch.from_numpy(limits))
    assert found.std() > 0.1
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_state_s_weights_are_the_same_whatever_the_batch():
    score = Preference(network(limit_scale=2.0), ActionMapping("none"))
    given = inputs(n=40)
    together = score.log_weights(*given)
    for row in range(40):
        alone = score.log_weights(*(part[row : row + 1] for part in given))
        assert np.array_equal(alone[0], together[row])
    assert np.array_equal(score.log_weights(*(part[::-1].copy() for part in given)), together[::-1])


def test_the_limit_is_seen_only_where_it_has_a_scale():
    observation, candidates, limits, taken = inputs()
    for scale, seen in ((None, False), (2.0, True)):
        score = Preference(network(limit_scale=scale), ActionMapping("none"))
        found = [score.log_weights(observation, candidates, x, taken) for x in (limits, limits / 2)]
        assert np.array_equal(*found) != seen


def test_a_limit_that_there_is_not_is_a_number():
    observation, candidates, limits, taken = inputs()
    score = Preference(network(limit_scale=2.0), ActionMapping("none"))
    assert np.isfinite(score.log_weights(observation, candidates, limits + np.inf, taken)).all()


def test_later_training_does_not_reach_a_score():
    made = network()
    score = Preference(made, ActionMapping("none"))
    before, digest = score.log_weights(*inputs()), Selector(4, score).digest
    with torch.no_grad():
        for value in made.parameters():
            value.add_(1.0)
    assert np.array_equal(score.log_weights(*inputs()), before)
    assert Selector(4, score).digest == digest


def test_what_is_read_acts_as_what_was_written(tmp_path):
    made = Preference(network(limit_scale=2.0), ActionMapping("none"))
    Selector(5, made).save(tmp_path, {})
    read = load_task_policy(tmp_path).policy.score
    assert isinstance(read, Preference)
    again = Preference(read.network, ActionMapping("none"))
    assert np.array_equal(again.log_weights(*inputs()), made.log_weights(*inputs()))


@pytest.mark.parametrize(
    ("fields", "arrays"),
    [
        ({"spec": {"observation_size": 3}}, {}),
        ({"spec": SPEC.model_dump() | {"hidden": ()}}, {}),
        ({"spec": SPEC.model_dump() | {"hidden": (100_000, 100_000)}}, {}),
        ({"spec": SPEC.model_dump(), "more": 1}, {}),
        ({"spec": SPEC.model_dump()}, {"act.weight": np.zeros((8, 2), np.float32)}),
    ],
)
def test_parts_that_do_not_fit_are_refused(fields, arrays):
    with pytest.raises(ValueError):
        Preference.from_parts(fields, arrays)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad):
    arrays = Preference(network()).arrays()
    arrays["act.weight"] = np.full_like(arrays["act.weight"], bad)
    with pytest.raises(ValueError, match=r"'act\.weight' are not finite float32"):
        Preference.from_parts({"spec": json.loads(SPEC.model_dump_json())}, arrays)


def test_it_is_used_around_a_base_of_its_sizes_only(small_base):
    sampler = PolicySampler(FrozenPolicy(small_base))
    with pytest.raises(UserError, match=r"trained for 3 observations and 2 actions") as caught:
        SelectionBehaviour(sampler, Selector(4, Preference(network())), RatioConstraint(1.2))
    assert "\n" not in str(caught.value)


def test_under_a_budget_it_sees_what_the_step_may_have(small_base):
    """Bound by a behaviour: mapping and limits reach the network."""
    made = network(observation_size=44, limit_scale=1.0)
    constraint = constraint_from_json({"name": "pathwise_all", "log_budget": 1.0})
    sampler = PolicySampler(FrozenPolicy(small_base))
    behaviour = SelectionBehaviour(sampler, Selector(8, Preference(made)), constraint)
    seen = np.random.default_rng(1).normal(size=(6, 44))
    draws = behaviour.draw(seen, [np.random.default_rng(i) for i in range(6)])
    state = constraint.start(6)
    state[3:, 0] = 0.25
    found = behaviour.step(seen, state, draws, np.zeros(6, int))
    limits = constraint.limits(state)
    assert (found.max_log_ratio <= limits).all()
    bound = Preference(made, sampler.action_mapping)
    weights = bound.log_weights(seen, draws.candidates, limits, np.zeros(6, int))
    np.testing.assert_array_equal(found.task.log_weights, weights)
