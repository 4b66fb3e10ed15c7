"""A mixture that is deployed: the part that the seed draws acts, and an audit draws it again."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.bounds.mixture import mixture_bound
from sport_ray.certificates import load_certificate
from sport_ray.constraints import RatioConstraint, Unconstrained
from sport_ray.constraints.mixture import Mixture
from sport_ray.constraints.pathwise import PathwiseBudgetAll
from sport_ray.constraints.violation_time import ViolationTimeConstraint
from sport_ray.deploy import BeyondPromise, audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.seeds import part_number, seed_words, stream
from sport_ray.errors import UserError
from sport_ray.samplers import read_base
from sport_ray.selection import load_task_policy, task_behaviour
from tests.sport_ray.deploy.conftest import HORIZON, constraint_named
from tests.sport_ray.deploy.test_audit import failed, resealed
from tests.sport_ray.deploy.test_bundle import sealed

WEIGHTS = (0.5, 0.25, 0.25)
TASKS = ("task_with_budget", "selector", "task")


def mixture() -> Mixture:
    """A learned budget, a choice under a budget, and a policy without a limit."""
    parts = (PathwiseBudgetAll(0.6), constraint_named("pathwise_spread"), Unconstrained())
    return Mixture(WEIGHTS, parts)


@pytest.fixture
def mixed(export_of: Callable[..., Export], certified: Path, tmp_path: Path) -> Path:
    """A bundle of three policies, of which two draw an action and one chooses."""
    tasks = tuple(certified / name for name in TASKS)
    export = replace(export_of("ratio"), constraint=mixture(), task=tasks)
    write_bundle(tmp_path / "bundle", export)
    return tmp_path / "bundle"


def acted(folder: Path, observations: np.ndarray, episodes: int = 12) -> tuple[Path, str]:
    log = folder.with_name("log.jsonl")
    policy = load(folder, log=log)
    for seed in range(episodes):
        policy.reset(seed)
        for row in observations[:10]:
            policy.act(row)
        policy.end()
    return log, str(policy.close())


def test_the_promise_is_that_of_the_mixture(mixed: Path, certified: Path) -> None:
    bundle = read_bundle(mixed)
    evidence = load_certificate(certified / "certificate.json").evidence(HORIZON)
    own = [part.prior_bound(evidence) for part in mixture().parts]
    assert own[2] is None
    assert bundle.promise["bound"] == mixture_bound(WEIGHTS, [own[0], own[1], 1.0]) < 1.0
    assert "draws one of its 3 parts" in bundle.promise["statement"]
    assert "part 1 draws 24 actions of the base policy" in bundle.promise["statement"]
    assert bundle.constraint == mixture()
    assert [part.constraint for part in bundle.parts] == list(mixture().parts)


def test_each_step_is_that_of_the_part_drawn(
    mixed: Path, certified: Path, observations: np.ndarray
) -> None:
    base, policy, seen = read_base(certified / "base"), load(mixed), Counter[int]()
    for seed in range(12):
        words = seed_words(seed)
        part = int(mixture().drawn(np.array([part_number(words)]))[0])
        task = load_task_policy(certified / TASKS[part]).policy
        behaviour = task_behaviour(base, task, mixture().parts[part])
        state, random = behaviour.start(1), stream(words, 0)
        policy.reset(seed)
        assert policy.part == part
        seen[part] += 1
        for taken, observation in enumerate(observations[:10]):
            draws = behaviour.draw(observation[None], [random])
            step = behaviour.step(observation[None], state, draws, np.array([taken]))
            drawn = step.chosen.sample(draws.noise)
            state = behaviour.spend(state, step, drawn)
            action = policy.act(observation)
            played = step.played(drawn)[0]
            np.testing.assert_array_equal(action, behaviour.action_mapping(played))
            assert policy.left == (state[0, 0] if state.size else np.inf)
    assert set(seen) == {0, 1, 2}


def test_parts_are_drawn_with_their_weights_and_independently_of_the_noise() -> None:
    numbers = np.array([part_number(seed_words(seed)) for seed in range(4_000)])
    counts = np.bincount(mixture().drawn(numbers), minlength=3)
    expected = 4_000 * np.array(WEIGHTS)
    assert (abs(counts - expected) < 4.5 * np.sqrt(expected)).all()
    noise = np.array([stream(seed_words(seed), 0).random() for seed in range(4_000)])
    assert abs(np.corrcoef(numbers, noise)[0, 1]) < 0.07
    worlds = np.array([np.random.default_rng(seed).random() for seed in range(4_000)])
    assert abs(np.corrcoef(numbers, worlds)[0, 1]) < 0.07


def test_a_weight_of_zero_is_never_drawn_and_ends_are_exact() -> None:
    found = Mixture((0.0, 0.5, 0.0, 0.5), (RatioConstraint(1.0),) * 4)
    ends = np.array([0.0, 0.5 - 2.0**-53, 0.5, 1.0 - 2.0**-53])
    assert found.drawn(ends).tolist() == [1, 1, 3, 3]


def test_an_audit_draws_the_part_again(mixed: Path, observations: np.ndarray) -> None:
    log, known = acted(mixed, observations)
    bundle = read_bundle(mixed)
    checks = audit_log(log, bundle, known)
    assert failed(checks) == []
    assert {"replay", "bounds", "promise"} <= {check.name for check in checks if check.passed}
    assert failed(audit_log(log)) == []
    lines = log.read_bytes().splitlines()
    parts = [json.loads(line).get("part") for line in lines if b'"kind":"reset"' in line]
    assert set(parts) == {0, 1, 2}

    def another(number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "reset" and record["episode"] == 3:
            record["part"] = (record["part"] + 1) % 3

    def another_seed(number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "reset" and record["episode"] == 3:
            record["seed"] = [record["seed"][0] + 1000, 0, 0, 0]

    def none(number: int, record: dict[str, Any]) -> None:
        record.pop("part", None)

    for change in (another, none):
        log.write_bytes(resealed(lines, change))
        for checked in (audit_log(log), audit_log(log, bundle)):
            assert failed(checked) == ["order"]
    log.write_bytes(resealed(lines, another_seed))
    assert failed(audit_log(log, bundle))


def test_a_part_that_does_not_keep_to_its_own_budget_is_found(
    mixed: Path, observations: np.ndarray
) -> None:
    """With the constraints of two parts exchanged, each step is checked against the wrong one."""
    log, _ = acted(mixed, observations)
    lines = log.read_bytes().splitlines()

    def exchanged(number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "open":
            parts = record["constraint"]["parts"]
            record["constraint"]["parts"] = [parts[2], parts[1], parts[0]]

    log.write_bytes(resealed(lines, exchanged))
    assert failed(audit_log(log)) == ["bounds"]
    assert failed(audit_log(log, read_bundle(mixed))) == ["bundle"]


def test_a_manifest_with_other_weights_or_policies_is_refused(mixed: Path) -> None:
    def weights(manifest: dict[str, Any]) -> None:
        manifest["constraint"]["weights"] = [0.25, 0.25, 0.5]

    def parts(manifest: dict[str, Any]) -> None:
        manifest["constraint"]["parts"][2] = manifest["constraint"]["parts"][0]

    def fewer(manifest: dict[str, Any]) -> None:
        manifest["task"]["parts"].pop()

    def one_policy(manifest: dict[str, Any]) -> None:
        manifest["task"] = manifest["task"]["parts"][0]

    def one_constraint(manifest: dict[str, Any]) -> None:
        manifest["constraint"] = manifest["constraint"]["parts"][0]

    def exchanged(manifest: dict[str, Any]) -> None:
        manifest["task"]["parts"].reverse()

    original = (mixed / "manifest.json").read_bytes()
    for change in (weights, parts, fewer, one_policy, one_constraint, exchanged):
        sealed(mixed, change)
        with pytest.raises(UserError, match=r"^bundle "):
            read_bundle(mixed)
        (mixed / "manifest.json").write_bytes(original)
    read_bundle(mixed)


def test_where_a_policy_is_damaged_the_base_plays_every_part(
    mixed: Path, observations: np.ndarray
) -> None:
    (mixed / "task/1/selector.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="task/1"):
        load(mixed)
    log = mixed.with_name("log.jsonl")
    policy = load(mixed, on_breach="base", log=log)
    for seed in range(6):
        policy.reset(seed)
        policy.act(observations[0])
        assert policy.last is not None
        assert policy.last.played == "base"
    policy.close()
    assert failed(audit_log(log, read_bundle(mixed, base_only=True))) == []


def test_what_cannot_be_mixed() -> None:
    ratio = RatioConstraint(1.1)
    for weights, parts, said in (
        ((0.5, 0.25), (ratio, ratio), "sum 1"),
        ((0.9, 0.1), (ratio, ratio), "multiples"),
        ((1.0,), (ratio, ratio), "one weight for each part"),
        ((1.0,), (ViolationTimeConstraint(1.1),), "confidence of its own"),
        ((1.0,), ("ratio",), "are constraints"),
    ):
        with pytest.raises(UserError, match=said):
            Mixture(weights, parts)  # type: ignore[arg-type]


def test_nothing_is_promised_where_the_unlimited_part_takes_all(
    export_of: Callable[..., Export], certified: Path, tmp_path: Path
) -> None:
    all_of_it = Mixture((1.0,), (Unconstrained(),))
    with pytest.raises(UserError, match="promises nothing"):
        write_bundle(
            tmp_path / "none",
            replace(export_of("ratio"), constraint=all_of_it, task=(certified / "task",)),
        )


def test_more_than_t_steps_are_refused_in_every_part(mixed: Path, observations: np.ndarray) -> None:
    warnings.simplefilter("error")
    policy = load(mixed)
    for seed in range(6):
        policy.reset(seed)
        for _ in range(HORIZON):
            policy.act(observations[0])
        with pytest.raises(BeyondPromise):
            policy.act(observations[0])
