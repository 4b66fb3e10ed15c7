"""The guard: outside of the promise it raises, or lets the base policy act."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sport_ray.deploy import BeyondPromise, DeployedPolicy, audit_log, load
from sport_ray.errors import UserError

HORIZON = 20


def took(policy: DeployedPolicy) -> str:
    assert policy.last is not None
    return policy.last.played


def test_no_more_than_t_steps(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle)
    policy.reset(0)
    for _ in range(HORIZON):
        policy.act(observations[0])
    for _ in range(2):
        with pytest.raises(BeyondPromise, match="covers 20 steps"):
            policy.act(observations[0])
    policy.reset(1)
    policy.act(observations[0])


def test_beyond_t_the_base_policy_if_so_configured(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle, on_breach="base")
    policy.reset(0)
    played = []
    for _ in range(HORIZON + 5):
        policy.act(observations[0])
        played.append(took(policy))
    assert played == ["task"] * HORIZON + ["base"] * 5
    policy.reset(1)
    policy.act(observations[0])
    assert took(policy) == "task"


def test_no_other_episode_without_reset(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle)
    with pytest.raises(BeyondPromise, match="call reset"):
        policy.act(observations[0])
    policy.reset(0)
    policy.act(observations[0])
    policy.end()
    with pytest.raises(BeyondPromise, match="has ended"):
        policy.act(observations[0])
    tolerant = load(bundle, on_breach="base")
    with pytest.raises(BeyondPromise, match="call reset"):
        tolerant.act(observations[0])
    tolerant.reset(0)
    tolerant.end()
    tolerant.act(observations[0])
    assert took(tolerant) == "base"


@pytest.mark.parametrize("on_breach", ["raise", "base"])
def test_what_is_no_observation_is_refused_and_the_episode_with_it(
    on_breach: str, bundle: Path, observations: np.ndarray
) -> None:
    good = observations[0]
    spoiled = [np.append(good, 0.0), good[:-1], good[None], good[0], [], "goal", None,
               good.astype(complex), good > 0.0, [good, 1.0]]  # fmt: skip
    numbers = (np.nan, np.inf, -np.inf, 1e39)
    spoiled += [np.where(np.arange(len(good)) == 7, value, good) for value in numbers]
    for wrong in spoiled:
        policy = load(bundle, on_breach=on_breach)
        policy.reset(0)
        policy.act(good)
        with pytest.raises(BeyondPromise, match="observation"):
            policy.act(wrong)
        if on_breach == "raise":
            with pytest.raises(BeyondPromise, match="refused earlier"):
                policy.act(good)
        else:
            policy.act(good)
            assert took(policy) == "base"


def test_a_damaged_task_policy_is_played_as_its_base_if_so_configured(
    bundle: Path, observations: np.ndarray
) -> None:
    path = bundle / "task" / "policy.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"evil")
    with pytest.raises(UserError, match="altered"):
        load(bundle)
    policy = load(bundle, on_breach="base", log=bundle / "log.jsonl")
    policy.reset(0)
    policy.act(observations[0])
    assert took(policy) == "base"
    assert policy.bundle.damage is not None
    policy.close()
    assert not [check for check in audit_log(bundle / "log.jsonl") if check.passed is False]


@pytest.mark.parametrize("name", ["certificate.json", "base/policy.safetensors", "manifest.json"])
def test_anything_else_that_is_damaged_is_refused_all_the_same(name: str, bundle: Path) -> None:
    path = bundle / name
    path.write_bytes(path.read_bytes()[:-4] + b"evil")
    with pytest.raises(UserError):
        load(bundle, on_breach="base")


def test_another_word_than_raise_or_base_is_an_error(bundle: Path) -> None:
    with pytest.raises(ValueError, match="on_breach"):
        load(bundle, on_breach="ignore")
