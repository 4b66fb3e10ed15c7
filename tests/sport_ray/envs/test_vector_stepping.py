"""The layer around vector environments: seeds apart, actions and observations nobody else's."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from sport_ray.envs.faults import EnvironmentFault
from sport_ray.envs.vector_stepping import VectorStepping, training_seeds
from sport_ray.errors import UserError

BOX = gymnasium.spaces.Box(-1, 1, (2,), np.float32)


class Spoiling(VectorEnv):
    """Returns one buffer, writes into what it is given, and fails at its third step."""

    def __init__(self, action_space=BOX) -> None:
        self.num_envs = 3
        self.single_observation_space, self.single_action_space = BOX, action_space
        self.observation_space = batch_space(BOX, 3)
        self.action_space = batch_space(action_space, 3)
        self.buffer = np.zeros((3, 2), dtype=np.float32)
        self.steps, self.seen = 0, []

    def reset(self, *, seed=None, options=None):
        self.seeds = seed
        return self.buffer, {}

    def step(self, actions):
        self.steps += 1
        if self.steps == 3:
            raise RuntimeError("no\nconvergence")
        self.seen.append(actions.dtype)
        self.buffer += 1.0
        actions *= 0.0
        none = np.zeros(3, dtype=bool)
        seen = self.buffer if self.steps < 2 else self.buffer[:2]
        return seen, np.zeros(3), none, none, {}


def test_nothing_is_shared_and_faults_are_named():
    vector = VectorStepping(Spoiling(), "Some-v0")
    first, _ = vector.reset(seed=5)
    actions = np.full((3, 2), 0.25)
    vector.step(actions)
    assert (first == 0.0).all()
    assert (actions == 0.25).all()
    assert vector.env.seen == [np.float32]
    assert vector.env.seeds == training_seeds(5, 3)
    with pytest.raises(EnvironmentFault, match=r"'Some-v0', step 2: .*3 copies have shape \(2, 2"):
        vector.step(actions)
    with pytest.raises(EnvironmentFault, match="step 3: RuntimeError: no convergence"):
        vector.step(actions)


def test_integer_actions_are_refused():
    with pytest.raises(UserError, match="takes actions of dtype int64"):
        VectorStepping(Spoiling(gymnasium.spaces.Box(-1, 1, (2,), np.int64)), "Some-v0")


def test_no_two_copies_and_no_two_runs_share_a_seed():
    """RLlib's own, seed + worker + copy, overlap between neighbours of all three kinds."""
    seeds = [seed for run in range(50) for seed in training_seeds(run, 8)]
    assert len(set(seeds)) == 400
    assert not set(seeds) & set(range(60))
    assert training_seeds(3, 8)[:4] == training_seeds(3, 4)
