"""highway-env with continuous actions, as docs/safety-gymnasium.md shows it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios

pytest.importorskip("highway_env")
PAGE = Path(__file__).parents[3] / "docs" / "safety-gymnasium.md"
ID = "my/Highway-v0"


@pytest.fixture
def page(tmp_path):
    """The page's module, run as it stands; its id is registered while a test runs."""
    (text,) = re.findall(r"^```python\n(# my_highway\.py\n.*?)^```", PAGE.read_text(), re.M | re.S)
    (tmp_path / "my_highway.py").write_text(text)
    made = runpy.run_path(str(tmp_path / "my_highway.py"))
    gymnasium.registry[ID].entry_point = made["highway"]
    yield made["highway"]
    del gymnasium.registry[ID]


def test_a_crash_is_a_signal_and_ends_the_episode(page):
    env = page()
    assert env.action_space.shape == (2,)
    assert (env.action_space.low == -1).all()
    assert (env.action_space.high == 1).all()
    _, info = env.reset(seed=0)
    assert info["signals"] == {"crashed": False}
    for _ in range(200):  # full throttle, straight on
        *_, terminated, truncated, info = env.step(np.array([1.0, 0.0], dtype=np.float32))
        assert not truncated  # no time limit of its own
        assert info["signals"]["crashed"] is terminated
        if terminated:
            break
    assert terminated


def test_scenarios_judge_it_and_are_the_same_again(page):
    spec = PolicySpec(observation_size=25, action_size=2, hidden=(8,))
    base = FrozenPolicy(PolicyNetwork(spec))
    plan = ScenarioPlan(
        env_id=ID, property="G !crashed", horizon=15, root_seed=0, purpose="certify"
    )
    tables = [run_scenarios(plan, BaseBehaviour(base), first=0, count=6) for _ in range(2)]
    assert tables[0].num_scenarios == 6
    assert tables[0].num_violations(15) == tables[1].num_violations(15)
