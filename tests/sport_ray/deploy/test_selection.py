"""A choice among candidates that is deployed: what was evaluated, to the bit, and its failures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.deploy import BeyondPromise, audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.seeds import seed_words, stream
from sport_ray.errors import UserError
from sport_ray.families import Categorical
from sport_ray.rollouts import Behaviour, ScenarioPlan, run_scenarios
from sport_ray.samplers import PolicySampler, UserSampler, read_base
from sport_ray.selection import SelectionBehaviour, load_task_policy, task_behaviour
from tests.sport_ray.deploy.conftest import CANDIDATES, HORIZON, MODULE
from tests.sport_ray.deploy.test_audit import failed
from tests.sport_ray.deploy.test_bundle import sealed
from tests.sport_ray.deploy.test_policy import deployed_outcomes

BASES = ["policy", "sampler"]
Make = Callable[..., Path]


@pytest.fixture(params=BASES)
def make(
    request: pytest.FixtureRequest, export_of: Callable[..., Export], tmp_path: Path
) -> Iterator[Make]:
    """Bundles of a selector around a Gaussian base, and around a user's sampler."""
    if request.param == "sampler":
        yield request.getfixturevalue("sampler_bundle")
        return

    def around_policy(name: str) -> Path:
        write_bundle(tmp_path / "bundle", export_of(name, "selector"))
        return tmp_path / "bundle"

    yield around_policy


def evaluated(folder: Path) -> Behaviour:
    """The policy of a bundle as evaluations run it."""
    constraint = read_bundle(folder).constraint
    base, task = read_base(folder / "base"), load_task_policy(folder / "task").policy
    return task_behaviour(base, task, constraint, run_module=True)


@pytest.mark.parametrize("name", ["ratio", "pathwise_spread", "violation_time", "two_point"])
def test_each_step_is_the_evaluated_one(name: str, make: Make, observations: np.ndarray) -> None:
    folder = make(name)
    behaviour, policy = evaluated(folder), load(folder, trust_module=MODULE)
    assert isinstance(behaviour, SelectionBehaviour)
    warnings.simplefilter("ignore")  # one seed for all
    moved = 0
    for chunk in observations.reshape(-1, 10, observations.shape[1]):
        policy.reset(5)
        state, random = behaviour.start(1), stream(seed_words(5), 0)
        for taken, observation in enumerate(chunk):
            draws = behaviour.draw(observation[None], [random])
            step = behaviour.step(observation[None], state, draws, np.array([taken]))
            drawn = step.chosen.sample(draws.noise)
            state = behaviour.spend(state, step, drawn)
            action = policy.act(observation)
            last = policy.last
            assert last is not None
            assert (last.played, last.candidates) == ("task", CANDIDATES)
            played = step.played(drawn)[0]
            np.testing.assert_array_equal(action, behaviour.action_mapping(played))
            np.testing.assert_array_equal(last.action, played)
            np.testing.assert_array_equal(last.drawn, drawn[0])
            np.testing.assert_array_equal(last.chosen.arrays()[0], step.chosen.arrays()[0][0])
            assert policy.left == (state[0, 0] if state.size else np.inf)
            moved += last.max_log_ratio > 0.0
    assert moved > len(observations) // 2


@pytest.mark.parametrize("name", ["ratio", "pathwise_spread"])
def test_scenarios_come_out_as_in_rollouts(
    name: str, make: Make, plan: ScenarioPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def streams(
        root: int, purpose: str, index: int
    ) -> tuple[np.random.Generator, np.random.Generator]:
        """Those of scenarios, but for the actions': the ones of a deployed policy."""
        world, actions = np.random.SeedSequence(root, spawn_key=(1, index)).spawn(2)
        return np.random.default_rng(world), stream(seed_words(actions), 0)

    monkeypatch.setattr("sport_ray.rollouts.seeding.scenario_generators", streams)
    monkeypatch.setattr("sport_ray.rollouts.seeding.as_numpy", lambda: False)  # one by one
    folder = make(name)
    fresh = plan.model_copy(update={"purpose": "evaluate", "root_seed": 8})
    table = run_scenarios(fresh, evaluated(folder), 0, 40)
    order = np.argsort(table.index)
    lengths, robustness = deployed_outcomes(load(folder, trust_module=MODULE), fresh, 40)
    np.testing.assert_array_equal(lengths, table.length[order])
    np.testing.assert_array_equal(robustness, table.robustness[order])


def test_the_promise_names_the_choice(make: Make) -> None:
    folder = make("ratio")
    bundle = read_bundle(folder)
    who = "the base policy" if (folder / "base/policy.json").exists() else f"{MODULE}:Disturbed"
    assert f"draws {CANDIDATES} actions of " in bundle.promise["statement"]
    assert who in bundle.promise["statement"]
    assert f"constant ratio: ε_base · α^T; by selection: the ratio is that of an index among " \
        f"{CANDIDATES} actions" in bundle.promise["theorem"]  # fmt: skip

    def fewer(manifest: dict[str, Any]) -> None:
        manifest["task"]["num_candidates"] = 3

    def in_words(manifest: dict[str, Any]) -> None:
        promise = manifest["promise"]
        for name in ("statement", "theorem"):
            promise[name] = promise[name].replace(f"{CANDIDATES} actions", "3 actions")

    sealed(folder, fewer)
    with pytest.raises(UserError, match="the promise in words is not"):
        read_bundle(folder)
    sealed(folder, in_words)
    with pytest.raises(UserError, match=rf"chooses among {CANDIDATES} candidates, not among 3"):
        read_bundle(folder)


def test_a_theorem_of_gaussians_is_not_promised_of_a_choice(
    make: Make, export_of: Callable[..., Export], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="gauss_renyi"):
        make("gauss_renyi")
    assert not (tmp_path / "bundle").exists()


def episode(policy: Any, observations: np.ndarray, steps: int) -> None:
    for row in np.resize(observations, (steps, observations.shape[1])):
        policy.act(row)


@pytest.mark.parametrize("name", ["ratio", "pathwise_spread"])
def test_where_the_score_fails_the_base_is_one_of_the_same_candidates(
    name: str, make: Make, observations: np.ndarray, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every third step; the others draw what they draw without a failure, and all of it audits."""
    folder = make(name)
    policy = load(folder, log=tmp_path / "log.jsonl", trust_module=MODULE)
    behaviour, random = evaluated(folder), stream(seed_words(3), 0)
    kind = type(policy.bundle.task.score)
    whole, calls = kind.log_weights, iter(range(10**6))

    def failing(self: Any, observation: np.ndarray, *given: Any) -> np.ndarray:
        found = whole(self, observation, *given)
        if next(calls) % 3 == 1:
            found[:, 0] = np.nan
        return found

    monkeypatch.setattr(kind, "log_weights", failing)
    policy.reset(3)
    played = []
    for row in observations[:9]:
        left = policy.left
        policy.act(row)
        draws = behaviour.draw(row[None], [random])
        last = policy.last
        index = int(last.drawn[0])
        np.testing.assert_array_equal(last.action, draws.candidates[0, index])
        if last.played == "base":
            uniform = Categorical.uniform(1, CANDIDATES)
            assert index == uniform.sample(draws.noise)[0, 0]
            assert (last.max_log_ratio, last.cost, policy.left) == (0.0, 0.0, left)
        played.append(last.played)
    assert played == ["task", "base", "task"] * 3
    known = policy.close()
    calls = iter(range(10**6))  # the audit's scores fail where they failed
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(folder, trust_module=MODULE), known)
    assert all(check.passed for check in checks), checks
    monkeypatch.setattr(kind, "log_weights", whole)
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(folder, trust_module=MODULE), known)
    assert failed(checks) == ["replay"]
    assert "where the task policy was to" in str(checks)


def test_beyond_the_promise_the_base_draws_on_in_the_same_stream(
    make: Make, observations: np.ndarray, tmp_path: Path
) -> None:
    folder = make("ratio")
    policy = load(folder, on_breach="base", log=tmp_path / "log.jsonl", trust_module=MODULE)
    behaviour, random = evaluated(folder), stream(seed_words(1), 0)
    policy.reset(1)
    for step, row in enumerate(np.resize(observations, (HORIZON + 3, observations.shape[1]))):
        policy.act(row)
        draws = behaviour.draw(row[None], [random])
        assert policy.last.played == ("task" if step < HORIZON else "base")
        index = int(policy.last.drawn[0])
        np.testing.assert_array_equal(policy.last.action, draws.candidates[0, index])
    policy.close()
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(folder, trust_module=MODULE))
    assert failed(checks) == ["promise"]
    assert "3 times" in str(checks)


def test_a_selector_that_is_damaged_is_played_as_its_base(
    make: Make, observations: np.ndarray, tmp_path: Path
) -> None:
    folder = make("ratio")
    intact = read_bundle(folder, trust_module=MODULE)
    weights = folder / "task" / "selector.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match=r"selector\.safetensors was altered"):
        load(folder, trust_module=MODULE)
    policy = load(folder, on_breach="base", log=tmp_path / "log.jsonl", trust_module=MODULE)
    bound = policy.promise["bound"]
    assert bound == intact.promise["bound"]
    policy.reset(2)
    base, random = policy.bundle.behaviours()[0], stream(seed_words(2), 0)
    for row in observations[:5]:
        action = policy.act(row)
        draws = base.draw(row[None], [random])
        step = base.step(row[None], base.start(1), draws)
        played = step.played(step.chosen.sample(draws.noise))[0]
        np.testing.assert_array_equal(action, base.action_mapping(played))
        assert (policy.last.played, policy.last.max_log_ratio) == ("base", 0.0)
    known = policy.close()
    for bundle in (intact, policy.bundle):  # repaired since, or not
        checks = audit_log(tmp_path / "log.jsonl", bundle, known)
        assert all(check.passed for check in checks), checks


def test_a_draw_that_fails_is_a_breach_and_no_number_of_it_is_used_again(
    make: Make, observations: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make("ratio")
    policy = load(folder, on_breach="base", log=tmp_path / "log.jsonl", trust_module=MODULE)
    kind = PolicySampler if (folder / "base/policy.json").exists() else UserSampler
    policy.reset(4)
    policy.act(observations[0])

    def broken(self: Any, *given: Any) -> np.ndarray:
        given[-1][0].random(3) if isinstance(given[-1], list) else given[-1].random(3)
        raise UserError("no action today")

    with monkeypatch.context() as patch:
        patch.setattr(kind, "sample", broken)
        patch.setattr(kind, "sample_many", broken)
        with pytest.raises(BeyondPromise, match="gives no action here: no action today"):
            policy.act(observations[1])
    policy.act(observations[2])
    assert policy.last.played == "base"
    draws = evaluated(folder).draw(observations[2][None], [stream(seed_words(4), 1)])
    index = int(policy.last.drawn[0])
    np.testing.assert_array_equal(policy.last.action, draws.candidates[0, index])
    policy.close()
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(folder, trust_module=MODULE))
    assert failed(checks) == ["promise"]


def test_the_law_of_the_index_is_the_stated_one(make: Make, observations: np.ndarray) -> None:
    """J against p over many seeds: Σ (1[J = j] − p_j) / sd, at the first and last quarter."""
    policy = load(make("ratio"), trust_module=MODULE)
    number = 1500
    hits, means, variances = np.zeros(CANDIDATES), np.zeros(CANDIDATES), np.zeros(CANDIDATES)
    for seed in range(number):
        policy.reset(seed)
        policy.act(observations[3])
        p = policy.last.chosen.arrays()[0]
        hits[int(policy.last.drawn[0])] += 1.0
        means += p
        variances += p * (1.0 - p)
    # Of 24 normal numbers one lies beyond 5 once in 70,000 runs.
    assert (np.abs(hits - means) < 5.0 * np.sqrt(variances)).all()
