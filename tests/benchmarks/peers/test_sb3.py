"""The robots that Stable-Baselines3 trains with are the project's."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from benchmarks.peers.sb3 import StableBaselines3, vector_environment
from benchmarks.peers.settings import ENV_ID, ENV_KWARGS, SETTINGS

pytest.importorskip("stable_baselines3")


def test_copies_give_what_a_single_environment_gives_and_reset_at_once():
    robots, single = vector_environment(2), gymnasium.make(ENV_ID, **ENV_KWARGS)
    seen = robots.reset()
    first, _ = single.reset(seed=0)
    np.testing.assert_array_equal(seen[1], first.astype(np.float32))
    rng, ends = np.random.default_rng(0), 0
    for _ in range(60):
        action = rng.normal(size=(2, 2)).astype(np.float32)
        robots.step_async(action)
        seen, reward, over, infos = robots.step_wait()
        after, paid, terminated, truncated, _ = single.step(np.tanh(action[1].astype(np.float64)))
        assert reward[1] == pytest.approx(paid, rel=1e-6)
        assert over[1] == (terminated or truncated)
        if over[1]:
            ends += 1
            last = infos[1]["terminal_observation"]
            np.testing.assert_allclose(last, after.astype(np.float32), rtol=1e-6)
            assert infos[1]["TimeLimit.truncated"] == truncated
            after, _ = single.reset()
        np.testing.assert_allclose(seen[1], after, rtol=1e-5, atol=1e-6)
    assert ends >= 2


@pytest.mark.slow
def test_steps_are_counted_in_whole_batches():
    engine = StableBaselines3(SETTINGS["paper"], 1)
    found = engine.measure(0.01)
    assert found.count == 128
    assert found.seconds > 0.0
