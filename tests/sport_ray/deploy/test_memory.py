"""A deployed base that remembers: the scenarios' laws, audited along the whole episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sport_ray.deploy import BeyondPromise, audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.policies import FrozenPolicy, PolicyNetwork, PolicySpec, load_policy, save_policy
from sport_ray.policies.recurrence import Recurrence
from sport_ray.rollouts import BaseBehaviour, ProjectedBehaviour, ScenarioPlan
from tests.sport_ray.deploy.conftest import certify, constraint_named
from tests.sport_ray.deploy.test_raw_observations import FLATTENING, HORIZON
from tests.sport_ray.envs.nested import NESTED, NESTED_SIZE, Nested, register

register()


def network_of(seed: int, **more: Any) -> PolicyNetwork:
    spec = PolicySpec(
        observation_size=NESTED_SIZE, action_size=1, hidden=(8,), log_std_min=-2.0,
        log_std_max=0.0, flattening=FLATTENING, **more,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PolicyNetwork(spec)
    with torch.no_grad():
        first = network.body[0] if network.memory is None else network.memory.weight_ih_l0
        weight = first.weight if isinstance(first, torch.nn.Linear) else first
        weight[:, 12:16] /= 255.0  # of the bytes
        network.body[-1].bias[0] += 0.7  # towards the goal
    return network


@pytest.fixture(scope="module", params=["ratio", "pathwise_spread"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recurrent base and a task policy that remembers nothing."""
    folder = tmp_path_factory.mktemp("memory")
    base = network_of(5, recurrence=Recurrence(size=6, layers=2))
    digest = save_policy(folder / "base", base, {})
    plan = ScenarioPlan(
        env_id=NESTED, env_kwargs={}, property="(!hazard) U goal", horizon=HORIZON, root_seed=3,
        purpose="certify",
    )  # fmt: skip
    certify(plan, BaseBehaviour(FrozenPolicy(base)), digest, folder)
    save_policy(folder / "task", network_of(6), {})
    export = Export(
        base=folder / "base", task=folder / "task", certificate=folder / "certificate.json",
        constraint=constraint_named(request.param), horizon=HORIZON, env_kwargs={}, alpha_mu=1.0,
        alpha_p=1.0, source={}, evidence={},
    )  # fmt: skip
    write_bundle(folder / "bundle", export)
    return folder / "bundle"


def play(policy: Any, seed: int, steps: int = HORIZON) -> list[tuple[Any, Any]]:
    """Raw observations of an episode, and what was sampled from at each."""
    env, found = Nested(HORIZON), []
    observation, _ = env.reset(seed=seed)
    policy.reset(seed)
    for _ in range(steps):
        action = policy.act(observation)
        found.append((observation, policy.last))
        observation, _, over, cut, _ = env.step(action)
        if over or cut:
            break
    policy.end()
    return found


def test_episodes_have_the_scenarios_laws_and_hold_in_the_audit(bundle, tmp_path):
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log)
    base, task = (FrozenPolicy(load_policy(bundle / who).network) for who in ("base", "task"))
    behaviour = ProjectedBehaviour(base, task, read_bundle(bundle).constraint)
    for seed in (1, 2, 3):
        state = behaviour.start(1)
        for observation, record in play(policy, seed):
            seen = FLATTENING(observation)[None].astype(np.float64)
            step = behaviour.step(seen, state)
            np.testing.assert_array_equal(record.chosen.parameters, step.chosen[0].parameters)
            np.testing.assert_array_equal(record.base.parameters, step.base[0].parameters)
            state = behaviour.spend(state, step, record.drawn[None])
    policy.close()
    checks = audit_log(log, read_bundle(bundle))
    assert all(check.passed for check in checks), checks


def test_an_audit_knows_that_the_past_was_another(bundle, tmp_path):
    """Another observation at the first step changes the base's law at the second."""
    policy = load(bundle, log=tmp_path / "log.jsonl")
    base = FrozenPolicy(load_policy(bundle / "base").network)
    steps = play(policy, 1, 2)
    policy.close()
    assert len(steps) == 2
    other = FLATTENING(steps[0][0])[None].astype(np.float64)
    other[0, -1] += 0.5
    _, memory = base.recall(other, np.zeros((1, base.spec.memory_size)))
    seen = FLATTENING(steps[1][0])[None].astype(np.float64)
    law, _ = base.recall(seen, memory)
    assert not np.array_equal(law[0].parameters, steps[1][1].base.parameters)


def test_after_an_interrupt_nothing_acts_on_a_memory_that_is_not_known(bundle, monkeypatch):
    policy = load(bundle, on_breach="base")
    env = Nested(HORIZON)
    observation, _ = env.reset(seed=4)
    policy.reset(4)
    policy.act(observation)

    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sport_ray.deploy.policy.draw", cut)
        with pytest.raises(KeyboardInterrupt):
            policy.act(observation)
    for _ in range(2):
        with pytest.raises(BeyondPromise, match="what the base remembers is not known"):
            policy.act(observation)
    policy.reset(5)
    policy.act(observation)
    assert policy.last.played == "task"


def test_a_refused_observation_is_not_remembered_by_policy_or_audit(bundle, tmp_path):
    log = tmp_path / "log.jsonl"
    policy = load(bundle, log=log, on_breach="base")
    env = Nested(HORIZON)
    observation, _ = env.reset(seed=4)
    policy.reset(4)
    policy.act(observation)
    with pytest.raises(BeyondPromise):
        policy.act({**observation, "gear": 9})
    policy.act(observation)  # the base, in breach
    assert policy.last.played == "base"
    policy.act(observation)
    policy.close()
    for check in audit_log(log, read_bundle(bundle)):
        if check.name in ("chain", "order", "bundle", "bounds", "replay"):
            assert check.passed, check
