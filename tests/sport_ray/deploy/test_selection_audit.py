"""Logs of a choice among candidates: what was altered in them is found, chain made anew or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.deploy import audit_log, load, read_bundle
from sport_ray.families import Categorical
from tests.sport_ray.deploy.conftest import CANDIDATES, MODULE
from tests.sport_ray.deploy.test_audit import failed, resealed
from tests.sport_ray.deploy.test_audit_hostile import VALUES, one_line
from tests.sport_ray.deploy.test_selection import BASES, Make, make

__all__ = ["make"]
AT = 4
"""The line that is altered: the third step of the first episode."""
UNIT = 2.0**-52


def logged(make: Make, name: str, observations: np.ndarray) -> tuple[Path, Path]:
    """A bundle, and the log of two episodes of it."""
    folder = make(name)
    log = folder.with_name("log.jsonl")
    policy = load(folder, log=log, trust_module=MODULE)
    for seed in range(2):
        policy.reset(seed)
        for row in observations[:6]:
            policy.act(row)
            assert policy.last is not None
            assert policy.last.played == "task"
    policy.close()
    return folder, log


def altered(log: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change one step and compute the whole chain anew."""

    def forge(number: int, record: dict[str, Any]) -> None:
        if number == AT:
            assert record["kind"] == "step"
            change(record)

    log.write_bytes(resealed(log.read_bytes().splitlines(), forge))


def p_of(record: dict[str, Any]) -> list[float]:
    found: list[float] = record["chosen"]["probabilities"]
    return found


def recomputed(record: dict[str, Any]) -> None:
    """What follows from p and J in a line, as a careful forger makes it."""
    chosen = Categorical(np.array([p_of(record)]))
    base = Categorical.uniform(1, CANDIDATES)
    record["max_log_ratio"] = float(chosen.max_log_ratio(base)[0])
    record["log_ratio"] = float(chosen.log_ratio(base, np.array([record["drawn"]]))[0])


def an_index_of_another_p(record: dict[str, Any]) -> None:
    p = np.array(p_of(record))
    record["drawn"] = [float(np.argmax(np.abs(p - p[int(record["drawn"][0])])))]


def another_index_that_follows(record: dict[str, Any]) -> None:
    p, here = p_of(record), int(record["drawn"][0])
    like = [j for j in range(CANDIDATES) if j != here and abs(p[j] - p[here]) < 1e-9]
    record["drawn"] = [float((like or [(here + 1) % CANDIDATES])[0])]
    recomputed(record)


def another_p(record: dict[str, Any]) -> None:
    """A little mass from the largest to the smallest: within every limit."""
    p = p_of(record)
    most, least = int(np.argmax(p)), int(np.argmin(p))
    moved = np.floor(0.3 * (p[most] - p[least]) / UNIT) * UNIT
    assert moved > 1e-4 / CANDIDATES
    p[most], p[least] = p[most] - moved, p[least] + moved
    recomputed(record)


def beyond_the_limit(record: dict[str, Any]) -> None:
    """Half of the mass on the candidate that was drawn."""
    rest = 2**51 // (CANDIDATES - 1)
    p = [rest * UNIT] * CANDIDATES
    p[int(record["drawn"][0])] = 1.0 - rest * (CANDIDATES - 1) * UNIT
    record["chosen"]["probabilities"] = p
    recomputed(record)


def a_unit_too_much(record: dict[str, Any]) -> None:
    p_of(record)[0] += UNIT


def none_at_all(record: dict[str, Any]) -> None:
    p, here = p_of(record), int(record["drawn"][0])
    p[(here + 1) % CANDIDATES] += p[here]
    p[here] = 0.0


FORGERIES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "p beyond the limit": ("bounds", beyond_the_limit),
    "p with another sum": ("bounds", a_unit_too_much),
    "p that gives what was drawn no chance": ("bounds", none_at_all),
    "p of fewer": ("bounds", lambda r: p_of(r).pop()),
    "no index": ("bounds", lambda r: r.update(drawn=[float(CANDIDATES)])),
    "half an index": ("bounds", lambda r: r.update(drawn=[0.5])),
    "two indices": ("bounds", lambda r: r.update(drawn=[0.0, 1.0])),
    "fewer candidates": ("bounds", lambda r: r.update(candidates=CANDIDATES - 1)),
    "too many candidates": ("bounds", lambda r: r.update(candidates=10**9)),
    "no action": ("bounds", lambda r: r.pop("action")),
    "a base beside candidates": ("bounds", lambda r: r.update(base={"probabilities": [1.0]})),
    "another distance": ("bounds", lambda r: r.update(max_log_ratio=0.0)),
    "an index of another p": ("bounds", an_index_of_another_p),
    "another log ratio": ("bounds", lambda r: r.update(log_ratio=r["log_ratio"] + 0.01)),
    "another limit": ("bounds", lambda r: r.update(limit=2.0 * r["limit"])),
    "another state": ("bounds", lambda r: r.update(state=[*(x + 0.1 for x in r["state"]), 0.0])),
    "another index": ("replay", another_index_that_follows),
    "another p": ("replay", another_p),
    "another action": ("replay", lambda r: r.update(action=[x + 1e-4 for x in r["action"]])),
    "an action less": ("replay", lambda r: r.update(action=r["action"][:1])),
    "another observation": (
        "replay",
        lambda r: r.update(observation=np.full(44, 0.5, "<f4").tobytes().hex()),
    ),
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
@pytest.mark.parametrize("make", BASES, indirect=True)
def test_a_chain_made_anew_hides_nothing(
    forgery: str, make: Make, observations: np.ndarray
) -> None:
    folder, log = logged(make, "ratio", observations)
    bundle = read_bundle(folder, trust_module=MODULE)
    altered(log, lambda record: None)
    assert failed(audit_log(log)) == failed(audit_log(log, bundle)) == []
    stage, change = FORGERIES[forgery]
    altered(log, change)
    assert failed(audit_log(log)) == ([] if stage == "replay" else [stage])
    assert failed(audit_log(log, bundle)) == [stage]


@pytest.mark.parametrize("make", BASES, indirect=True)
def test_of_a_budget_what_was_spent_is_computed_again(make: Make, observations: np.ndarray) -> None:
    folder, log = logged(make, "pathwise_spread", observations)
    bundle = read_bundle(folder, trust_module=MODULE)
    assert failed(audit_log(log, bundle)) == []
    whole = log.read_bytes()
    for change in (
        an_index_of_another_p,
        lambda record: record.update(cost=record["cost"] - 0.01),
        lambda record: record.update(state=[record["state"][0] + 0.01, *record["state"][1:]]),
    ):
        log.write_bytes(whole)
        altered(log, change)
        assert failed(audit_log(log)) == failed(audit_log(log, bundle)) == ["bounds"]


@pytest.mark.parametrize("make", BASES, indirect=True)
def test_the_base_may_not_choose_where_the_task_policy_was_to(
    make: Make, observations: np.ndarray
) -> None:
    folder, log = logged(make, "ratio", observations)
    bundle = read_bundle(folder, trust_module=MODULE)
    from sport_ray.deploy.seeds import seed_words, stream

    base, random = bundle.behaviours()[1], stream(seed_words(0), 0)
    assert base is not None
    draws = [base.draw(row[None], [random]) for row in observations[:3]][-1]
    index = Categorical.uniform(1, CANDIDATES).sample(draws.noise)
    assert draws.candidates is not None

    def by_the_base(record: dict[str, Any]) -> None:
        record.update(
            played="base", drawn=index[0].tolist(), max_log_ratio=0.0, log_ratio=0.0, cost=0.0,
            action=draws.candidates[0, int(index[0, 0])].tolist(),
        )  # fmt: skip
        del record["chosen"]

    altered(log, by_the_base)
    assert failed(audit_log(log)) == []
    checks = audit_log(log, bundle)
    assert failed(checks) == ["replay"]
    assert "where the task policy was to" in str(checks)


@pytest.mark.parametrize("make", ["policy"], indirect=True)
def test_a_line_of_a_step_is_of_reasonable_size(make: Make, observations: np.ndarray) -> None:
    _, log = logged(make, "ratio", observations)
    lines = [line for line in log.read_bytes().splitlines() if json.loads(line)["kind"] == "step"]
    assert max(map(len, lines)) < 1000 + 25 * CANDIDATES


@pytest.mark.parametrize("make", ["policy"], indirect=True)
def test_another_seed_or_an_altered_byte_is_found(make: Make, observations: np.ndarray) -> None:
    folder, log = logged(make, "ratio", observations)
    bundle, whole = read_bundle(folder, trust_module=MODULE), log.read_bytes()

    def reseeded(number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "reset":
            record["seed"][0] += 1

    log.write_bytes(resealed(whole.splitlines(), reseeded))
    assert failed(audit_log(log, bundle)) == ["replay"]
    for place in np.random.default_rng(0).integers(0, len(whole), 60):
        log.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
        assert failed(audit_log(log)), f"byte {place}"


@pytest.mark.parametrize("make", ["policy"], indirect=True)
def test_any_value_in_a_field_of_a_step_is_refused_in_one_line(
    make: Make, observations: np.ndarray
) -> None:
    folder, log = logged(make, "ratio", observations)
    bundle, whole = read_bundle(folder, trust_module=MODULE), log.read_bytes()
    fields = json.loads(whole.splitlines()[AT])
    for name in set(fields) - {"previous", "digest"}:
        for value in VALUES:
            if value == fields[name] and type(value) is not bool:
                continue
            log.write_bytes(whole)
            altered(log, lambda record, n=name, put=value: record.update({n: put}))
            checks = audit_log(log, bundle)
            one_line(checks)
            assert failed(checks), (name, value)
