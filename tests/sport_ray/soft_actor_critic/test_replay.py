"""The memory holds the last transitions that were taken, and draws them evenly."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.projected_ppo.fragment import Fragment
from sport_ray.soft_actor_critic.replay import ReplayMemory


def fragment(first: int, steps: int, envs: int, skip: int) -> Fragment:
    """Observations count up, so that every transition tells where it came from."""
    seen = (first + np.arange((steps + 1) * envs, dtype=np.float32)).reshape(steps + 1, envs, 1)
    taken = np.ones((steps, envs), dtype=bool)
    taken.ravel()[skip % (steps * envs)] = steps * envs == 1
    flat = np.zeros((steps, envs))
    return Fragment(
        observations=seen,
        actions=seen[:-1] + 0.5,
        action_logp=flat,
        action_dist_inputs=flat[..., None],
        policy_inputs=None,
        rewards=seen[:-1, :, 0].astype(np.float64),
        terminated=seen[:-1, :, 0] % 7 == 0,
        truncated=flat.astype(bool),
        taken=taken,
    )


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 9)), min_size=1),
)
def test_it_holds_the_last_that_were_taken(capacity, sizes):
    envs = sizes[0][1]
    memory, model, first = ReplayMemory(capacity), deque(maxlen=capacity), 0
    for steps, _, skip in sizes:
        one = fragment(first, steps, envs, skip)
        memory.add(one)
        for t, e in zip(*np.nonzero(one.taken), strict=True):
            model.append((one.observations[t, e, 0], one.observations[t + 1, e, 0]))
        first += 100
    assert len(memory) == len(model)
    drawn = memory.draw(400, np.random.default_rng(0))
    pairs = list(zip(drawn["obs"][:, 0], drawn["new_obs"][:, 0], strict=True))
    assert set(pairs) <= set(model)
    if len(model) <= 12:
        assert set(pairs) == set(model)
    np.testing.assert_array_equal(drawn["actions"], drawn["obs"] + 0.5)
    np.testing.assert_array_equal(drawn["rewards"], drawn["obs"][:, 0])
    np.testing.assert_array_equal(drawn["terminateds"], drawn["obs"][:, 0] % 7 == 0)


def test_nothing_can_be_drawn_of_nothing():
    with pytest.raises(ValueError, match="empty"):
        ReplayMemory(3).draw(1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="capacity 0"):
        ReplayMemory(0)
