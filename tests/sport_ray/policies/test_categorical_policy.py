"""A policy of indices: fixed logits, files, actions, and scenarios in a discrete environment."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from sport_ray.constraints import RatioConstraint
from sport_ray.envs.spaces import action_size_of, indices_of, require_numbers
from sport_ray.envs.stepping import Stepping
from sport_ray.envs.vector_stepping import VectorStepping
from sport_ray.errors import UserError
from sport_ray.policies import (
    ActionMapping,
    FrozenPolicy,
    PolicyNetwork,
    PolicySpec,
    load_policy,
    save_policy,
)
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour


def spec(sizes=(3, 2), observations=4, **given):
    mapping = ActionMapping.of_indices([0] * len(sizes), sizes)
    return PolicySpec(
        observation_size=observations,
        action_size=len(sizes),
        hidden=(16, 16),
        **mapping.to_json(),
        **given,
    )


def network(seed=0, **given):
    torch.manual_seed(seed)
    return PolicyNetwork(spec(**given)).float()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(0, 1000), st.sampled_from(["relu", "tanh"]))
def test_a_row_has_the_same_bits_in_every_batch(count, seed, activation):
    policy = FrozenPolicy(network(seed, activation=activation))
    seen = np.random.default_rng(seed).normal(0.0, 3.0, (count, 4))
    together = policy.distribution(seen)
    assert together.valid().all()
    for row in {0, count // 2, count - 1}:
        alone = policy.distribution(seen[row : row + 1])
        assert np.array_equal(alone.arrays()[0][0], together.arrays()[0][row])
        assert np.array_equal(alone.numbers[0].numpy(), together.numbers[row].numpy())


def test_its_probabilities_are_the_softmax_of_float32_logits():
    one = network()
    seen = np.random.default_rng(1).normal(size=(70, 4))
    law = FrozenPolicy(one).distribution(seen)
    with torch.no_grad():
        logits = one.double().body(torch.from_numpy(seen).float().double())
    want = torch.cat([logits[:, :3].softmax(-1), logits[:, 3:].softmax(-1)], -1)
    np.testing.assert_allclose(law.arrays()[0], want.numpy(), rtol=2e-6)
    single = law.numbers.numpy().astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(single, law.numbers.numpy())


def test_a_file_holds_it(tmp_path):
    one = network()
    digest = save_policy(tmp_path, one, {})
    again = load_policy(tmp_path)
    assert again.digest == digest
    assert again.network.spec == one.spec
    seen = np.random.default_rng(2).normal(size=(9, 4))
    both = (FrozenPolicy(n).distribution(seen).arrays()[0] for n in (one, again.network))
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"action_low": None, "action_high": None}, "needs action_low and action_high"),
        ({"action_low": (0.5, 0.0)}, "whole numbers"),
        ({"action_high": (-1.0, 1.0)}, "whole numbers"),
        ({"action_high": (2.0, 1e6)}, "outcomes"),
        ({"std_head": "constant"}, "no std"),
    ],
)
def test_what_describes_no_indices_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        PolicySpec.model_validate({**spec().model_dump(), **change})


SPACES = [
    (spaces.Discrete(3, start=-1), ([-1], [3])),
    (spaces.MultiDiscrete([3, 2], start=[1, -2]), ([1, -2], [3, 2])),
    (spaces.MultiBinary(2), ([0, 0], [2, 2])),
]


@pytest.mark.parametrize(("space", "indices"), SPACES)
def test_every_action_of_the_space_is_an_index_and_no_other(space, indices):
    assert indices_of(space) == indices
    assert action_size_of(space) == len(indices[0])
    mapping = ActionMapping.of_indices(*indices)
    assert ActionMapping.from_json(mapping.to_json()) == mapping
    mapping.require_fits("it", space)
    first, sizes = map(np.array, indices)
    np.testing.assert_array_equal(mapping(sizes - 1.0), first + sizes - 1)
    with pytest.raises(UserError, match="takes actions in"):
        mapping.require_fits("it", spaces.Discrete(9))
    with pytest.raises(UserError, match="takes actions in"):
        mapping.require_fits("it", spaces.Box(-1.0, 1.0, (2,)))
    with pytest.raises(UserError, match="real numbers"):
        ActionMapping().require_fits("it", space)
    require_numbers("it", space)


class Walk(gymnasium.Env):
    """A walk on −3 … 3 by −1, 0, 1; the right end is bad, the left one is the goal."""

    observation_space = spaces.Box(-3.0, 3.0, (1,), dtype=np.float32)

    def __init__(self, space):
        self.action_space = space

    def _told(self):
        return np.array([self.at], dtype=np.float32), {
            "signals": {"hazard": self.at >= 3, "goal": self.at <= -3}
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at, self.given = 0, []
        return self._told()

    def step(self, action):
        assert self.action_space.contains(action), action
        self.given.append(action)
        self.at = int(np.clip(self.at + np.sum(action), -3, 3))
        seen, info = self._told()
        return seen, -1.0, abs(self.at) == 3, False, info


@pytest.mark.parametrize(("space", "indices"), SPACES)
def test_an_environment_gets_actions_of_its_own_space(space, indices):
    mapping, sizes = ActionMapping.of_indices(*indices), indices[1]
    single = Stepping(Walk(space), "walk")
    single.reset(seed=0)
    single.step(mapping(np.array(sizes) - 1.0))
    vector = VectorStepping(gymnasium.vector.SyncVectorEnv([lambda: Walk(space)] * 3), "walk")
    vector.reset(seed=0)
    vector.step(mapping(np.zeros((3, len(sizes)))))


def test_a_projected_policy_keeps_its_ratio_in_every_state():
    base, task = FrozenPolicy(network(0)), FrozenPolicy(network(1))
    behaviour = ProjectedBehaviour(base, task, RatioConstraint(1.2))
    seen = np.random.default_rng(3).normal(0.0, 3.0, (200, 4))
    step = behaviour.step(seen, np.zeros((200, 0)))
    assert step.projected.any()
    assert (step.max_log_ratio <= np.log(1.2)).all()
    draws = BaseBehaviour(base).draw(seen, [np.random.default_rng(i) for i in range(200)])
    drawn = step.chosen.sample(draws.noise)
    assert drawn.shape == (200, 2)
    assert (drawn < np.array([3, 2])).all()
    cost = step.chosen.log_ratio(step.base, drawn)
    assert (cost <= np.log(1.2)).all()
