"""Environments that remember: whatever they remember, and wherever, they certify nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from sport_ray.certificates.independence import (
    EDGE,
    LIVED,
    NEIGHBOURS,
    VIOLATING,
    require_no_memory,
)
from sport_ray.errors import UserError
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.policies import FrozenPolicy, PolicyNetwork, load_policy
from sport_ray.policies.network import PolicySpec
from sport_ray.rollouts import BaseBehaviour, ScenarioPlan, run_scenarios
from sport_ray.rollouts.table_file import OutcomeWriter


class Walk(gymnasium.Env):
    """A random walk that violates in some episodes; subclasses remember."""

    observation_space = spaces.Box(-10, 10, (1,), np.float32)
    action_space = spaces.Box(-1, 1, (1,), np.float32)
    episodes = 0
    steps = 0
    violated = False
    seen: set[int] = set()  # noqa: RUF012
    living = 0

    def reset(self, *, seed: int | None = None, options: Any = None):
        super().reset(seed=seed)
        self.count(seed)
        self.x = float(self.np_random.uniform(-0.1, 0.1))
        return self.out()

    def count(self, seed: int | None) -> None:
        pass

    def worn(self) -> bool:
        return False

    def out(self):
        signals = {"hazard": 1.0 if self.worn() else abs(self.x) - 1.0}
        self.violated = self.violated or signals["hazard"] >= 0
        return np.array([self.x], np.float32), {"signals": signals}

    def step(self, action):
        self.steps += 1
        self.x += 0.2 * float(action[0]) + 0.1 * float(self.np_random.standard_normal())
        observation, info = self.out()
        return observation, 0.0, False, False, info


class PerInstance(Walk):
    """Violates from an instance's 90th episode on."""

    def count(self, seed):
        self.episodes += 1

    def worn(self):
        return self.episodes >= 90


class PerProcess(Walk):
    """Violates from the 350th episode of the process on, in whatever instance."""

    def count(self, seed):
        type(self).episodes += 1

    def worn(self):
        return type(self).episodes >= 350


class PerStep(Walk):
    """Violates after so many steps of one instance."""

    def worn(self):
        return self.steps >= 1_000


class Scarred(Walk):
    """An episode after one with a violation starts elsewhere."""

    def reset(self, *, seed=None, options=None):
        scarred, self.violated = self.violated, False
        observation, info = super().reset(seed=seed)
        if scarred:
            self.x += 0.5
            return self.out()
        return observation, info


class Revisited(Walk):
    """A seed that was seen before gives another episode."""

    def reset(self, *, seed=None, options=None):
        again = seed in self.seen
        self.seen = self.seen | {seed}
        observation, info = super().reset(seed=seed)
        if again:
            self.x += 0.01
            return self.out()
        return observation, info


class Neighbourly(Walk):
    """Every instance moves what all share."""

    wind = 0.0

    def step(self, action):
        Neighbourly.wind = 0.9 * Neighbourly.wind + 0.01 * float(action[0])
        self.x += Neighbourly.wind
        return super().step(action)


class Counted(Walk):
    """The start depends on how many instances were made."""

    def __init__(self):
        Counted.living += 1
        self.number = Counted.living

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x += 1e-3 * self.number
        return self.out()


class Sober(Walk):
    """Remembers, but nothing that matters: wear in a field that no step reads."""

    def count(self, seed):
        self.episodes += 1


KINDS = (PerInstance, PerProcess, PerStep, Scarred, Revisited, Neighbourly, Counted, Sober)


@pytest.fixture
def behaviour() -> BaseBehaviour:
    network = PolicyNetwork(PolicySpec(observation_size=1, action_size=1, hidden=()))
    with torch.no_grad():
        for value in network.parameters():
            value.zero_()
    return BaseBehaviour(FrozenPolicy(network))


def certified(kind: type[Walk], behaviour: BaseBehaviour, tmp_path: Path, count: int):
    """A plan and the table of its scenarios, as the certificate stage has them."""
    env_id = f"tests/{kind.__name__}-v0"
    gymnasium.register(env_id, entry_point=kind)
    Walk.episodes = kind.episodes = kind.living = 0
    plan = ScenarioPlan(
        env_id=env_id, property="G !hazard", horizon=15, root_seed=3, purpose="certify"
    )
    outcomes = run_scenarios(plan, behaviour, 0, count)
    with OutcomeWriter(tmp_path / "table.parquet") as writer:
        writer.add(outcomes)
    return plan, outcomes


@pytest.fixture(autouse=True)
def unregister():
    yield
    for kind in KINDS:
        gymnasium.registry.pop(f"tests/{kind.__name__}-v0", None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS[:-1], ids=lambda kind: kind.__name__)
def test_whatever_is_remembered_is_found(kind, behaviour, tmp_path):
    plan, outcomes = certified(kind, behaviour, tmp_path, 300)
    assert 0 < outcomes.num_violations(15) < 300
    with pytest.raises(UserError) as caught:
        require_no_memory(plan, behaviour, tmp_path / "table.parquet")
    message = str(caught.value)
    assert plan.env_id in message
    assert "\n" not in message
    assert "run again" in message
    assert "reset must restore everything" in message


@pytest.mark.parametrize("count", [3, 60])
def test_a_set_of_fewer_than_a_hundred(count, behaviour, tmp_path):
    """The instance then lives through episodes of other seeds first."""
    plan, _ = certified(PerInstance, behaviour, tmp_path, count)
    with pytest.raises(UserError, match="had lived through"):
        require_no_memory(plan, behaviour, tmp_path / "table.parquet")


@pytest.mark.parametrize("count", [1, 60, 300])
def test_one_without_memory_passes_at_a_bounded_cost(count, behaviour, tmp_path, monkeypatch):
    plan, _ = certified(Sober, behaviour, tmp_path, count)
    lived: list[int] = []
    monkeypatch.setattr(Sober, "count", lambda self, seed: lived.append(1))
    require_no_memory(plan, behaviour, tmp_path / "table.parquet")
    most = LIVED + 2 * (VIOLATING + 2 * EDGE) + NEIGHBOURS
    assert LIVED < len(lived) <= most + 1 + 7  # and one reset of each instance that was made


def test_the_point_robot_has_none(tmp_path):
    """Also its array simulator is one instance for hundreds of slots."""
    base = BaseBehaviour(FrozenPolicy(load_policy(BUNDLED / "point_reach_avoid").network))
    plan = ScenarioPlan(
        env_id="sport_ray/PointReachAvoid-v0",
        env_kwargs={"layout": "random", "actuation_noise": 0.1},
        property="(!hazard) U goal",
        horizon=20,
        root_seed=3,
        purpose="certify",
    )
    with OutcomeWriter(tmp_path / "table.parquet") as writer:
        writer.add(run_scenarios(plan, base, 0, 150))
    require_no_memory(plan, base, tmp_path / "table.parquet")
