"""The audit: what happened is confirmed, and every line that is missing or altered is found."""

from __future__ import annotations

import hashlib
import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.deploy import BeyondPromise, Check, audit_log, load, read_bundle
from sport_ray.deploy.audit_log import AuditLog, read_line
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.deploy.seeds import seed_words, stream
from sport_ray.errors import UserError


def acted(
    folder: Path, observations: np.ndarray, on_breach: str = "raise", steps: int = 10
) -> tuple[Path, str]:
    """The log of three episodes, and its digest."""
    log = folder.with_name("log.jsonl")
    policy = load(folder, log=log, on_breach=on_breach)
    for seed in range(3):
        policy.reset(seed)
        for row in np.resize(observations, (steps, observations.shape[1])):
            policy.act(row)
        if seed:
            policy.end()
    return log, str(policy.close())


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.passed is False]


def resealed(lines: list[bytes], change: Callable[[int, dict[str, Any]], None]) -> bytes:
    """The log with lines changed and the whole chain computed anew, as a forger would."""
    found, previous = b"", ""
    for number, line in enumerate(lines):
        record, _ = read_line(line)
        change(number, record)
        record["previous"] = previous
        body = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
        previous = hashlib.sha256(body).hexdigest()
        found += body[:-1] + f',"digest":"{previous}"}}\n'.encode()
    return found


@pytest.mark.parametrize("name", ["ratio", "pathwise", "pathwise_all", "mean_shift"])
def test_what_happened_is_confirmed(
    name: str, export_of: Callable[..., Export], observations: np.ndarray, tmp_path: Path
) -> None:
    task = "task" if name in ("ratio", "pathwise") else "task_with_budget"
    write_bundle(tmp_path / "bundle", export_of(name, task))
    log, known = acted(tmp_path / "bundle", observations)
    bundle = read_bundle(tmp_path / "bundle")
    checks = audit_log(log, bundle, known)
    assert [check.name for check in checks] == [
        "chain", "order", "bundle", "bounds", "replay", "promise", "digest",
    ]  # fmt: skip
    assert all(check.passed for check in checks)
    assert failed(audit_log(log)) == []
    assert failed(audit_log(log, expect="ab" * 32)) == ["digest"]


def test_any_line_that_is_missing_repeated_or_moved_is_found(
    bundle: Path, observations: np.ndarray
) -> None:
    log, _ = acted(bundle, observations)
    lines = log.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 3 * (1 + 10 + 1) + 1
    for index in range(len(lines)):
        others = [
            lines[:index] + lines[index + 1 :],
            lines[: index + 1] + lines[index:],
            lines[:index],
        ]
        if index + 1 < len(lines):
            others.append([*lines[:index], lines[index + 1], lines[index], *lines[index + 2 :]])
        for wrong in others:
            log.write_bytes(b"".join(wrong))
            assert failed(audit_log(log)) == ["chain"]


def test_any_line_that_is_altered_is_found(bundle: Path, observations: np.ndarray) -> None:
    log, _ = acted(bundle, observations)
    data = log.read_bytes()
    rng = np.random.default_rng(0)
    places = np.append(rng.integers(0, len(data), 400), [0, len(data) - 1])
    for place, bit in zip(places, rng.integers(0, 8, len(places)), strict=True):
        log.write_bytes(data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :])
        assert failed(audit_log(log)), f"byte {place}"
    log.write_bytes(data[:-1])
    assert failed(audit_log(log)) == ["chain"]


FORGERIES: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "another action": ("bounds", lambda r: r.update(drawn=[9.0, 9.0])),
    "wider than the base": (
        "bounds",
        lambda r: r["chosen"].update(std=[2.0 * x for x in r["base"]["std"]]),
    ),
    "far from the base": (
        "bounds",
        lambda r: r["chosen"].update(mean=[x + 5.0 for x in r["base"]["mean"]]),
    ),
    "another limit": ("bounds", lambda r: r.update(limit=r["limit"] * 2.0)),
    "another distance": ("bounds", lambda r: r.update(max_log_ratio=0.0)),
    "another cost": ("bounds", lambda r: r.update(cost=r["cost"] - 0.1)),
    "another budget": ("bounds", lambda r: r.update(state=[*(x + 0.1 for x in r["state"]), 0.0])),
    "an endless distance": ("bounds", lambda r: r.update(max_log_ratio=None)),
    "no width": ("bounds", lambda r: r["chosen"].update(std=[0.0] * len(r["drawn"]))),
    "not a number": ("bounds", lambda r: r.update(drawn=["nan", 0.0])),
    "one entry less": ("bounds", lambda r: r.update(drawn=r["drawn"][:1])),
    "another step": ("order", lambda r: r.update(step=r["step"] + 1)),
    "another episode": ("order", lambda r: r.update(episode=9)),
    "said to be outside": ("bounds", lambda r: r.update(played="base", breach="x")),
    "the task policy outside": ("bounds", lambda r: r.update(breach="x")),
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
@pytest.mark.parametrize("name", ["ratio", "pathwise"])
def test_a_chain_made_anew_does_not_hide_a_step_beyond_its_bounds(
    forgery: str, name: str, export_of: Callable[..., Export], observations: np.ndarray,
    tmp_path: Path,
) -> None:  # fmt: skip
    write_bundle(tmp_path / "bundle", export_of(name))
    log, _ = acted(tmp_path / "bundle", observations)
    lines = log.read_bytes().splitlines()
    log.write_bytes(resealed(lines, lambda number, record: None))
    assert failed(audit_log(log)) == []
    stage, change = FORGERIES[forgery]

    def forge(number: int, record: dict[str, Any]) -> None:
        if number == 4:
            assert record["kind"] == "step"
            change(record)

    log.write_bytes(resealed(lines, forge))
    assert failed(audit_log(log)) == [stage]


def test_a_consistent_log_of_other_policies_or_draws_is_found_with_the_bundle(
    bundle: Path, observations: np.ndarray
) -> None:
    log, known = acted(bundle, observations)
    lines, whole = log.read_bytes().splitlines(), read_bundle(bundle)

    def moved(number: int, record: dict[str, Any]) -> None:
        if number == 4:  # base and task and draw shifted alike: every bound still holds
            for given, name in ((record["base"], "mean"), (record["chosen"], "mean"),
                                (record, "drawn")):  # fmt: skip
                given[name] = [x + 0.25 for x in given[name]]

    def reseeded(number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "reset":
            record["seed"][0] += 1

    def renamed(number: int, record: dict[str, Any]) -> None:
        if number == 0:
            record["bundle"] = "00" * 32

    for change, stage in ((moved, "replay"), (reseeded, "replay"), (renamed, "bundle")):
        log.write_bytes(resealed(lines, change))
        assert failed(audit_log(log)) == []
        assert failed(audit_log(log, whole)) == [stage]
        assert failed(audit_log(log, expect=known)) == ["digest"]


def test_steps_outside_of_the_promise_are_reported(bundle: Path, observations: np.ndarray) -> None:
    log, _ = acted(bundle, observations, on_breach="base", steps=23)
    assert failed(audit_log(log, read_bundle(bundle))) == ["promise"]
    assert "9 times" in next(c.detail for c in audit_log(log) if c.name == "promise")


def test_a_refusal_is_in_the_log(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle, log=bundle / "log.jsonl")
    policy.reset(0)
    with pytest.raises(BeyondPromise):
        policy.act(observations[0][:-1])
    policy.close()
    assert failed(audit_log(bundle / "log.jsonl")) == ["promise"]


def test_seeds_that_are_used_again_are_noted(bundle: Path, observations: np.ndarray) -> None:
    policy = load(bundle, log=bundle / "log.jsonl")
    policy.reset(1)
    policy.act(observations[0])
    with pytest.warns(UserWarning, match="drawn again"):
        policy.reset([1, 0])  # the same stream
    policy.act(observations[0])
    policy.close()
    checks = {check.name: check for check in audit_log(bundle / "log.jsonl")}
    assert checks["seeds"].passed is None
    assert "1 episodes" in checks["seeds"].detail


def test_a_log_is_never_written_over(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("kept")
    with pytest.raises(UserError, match="exists already"):
        load(bundle, log=tmp_path / "log.jsonl")
    assert (tmp_path / "log.jsonl").read_text() == "kept"


def test_no_number_that_is_not_finite_is_written(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log.jsonl")
    with pytest.raises(ValueError):
        log.write("step", left=float("nan"))


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        audit_log(tmp_path / "none.jsonl")
    for data in (b"", b"\n", b"{}\n", b"\xff\n", b"[]\n" * 3):
        (tmp_path / "log.jsonl").write_bytes(data)
        assert failed(audit_log(tmp_path / "log.jsonl")) == ["chain"]


def test_a_line_that_is_written_in_part_is_taken_back(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log.jsonl")
    last = log.write("open")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, ((tmp_path / "log.jsonl").stat().st_size + 9, before[1])
    )
    try:  # as a full disk: a part is taken, and nothing is raised by the system
        with pytest.raises(OSError, match="9 of a line's"):
            log.write("step")
        (whole,) = (tmp_path / "log.jsonl").read_bytes().splitlines(keepends=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert whole.endswith(b"\n")
    assert read_line(whole[:-1])[1] == last
    log.close()
    first, closing = (tmp_path / "log.jsonl").read_bytes().splitlines()
    assert read_line(first)[1] == last == read_line(closing)[0]["previous"]


def test_the_base_policy_may_not_be_chosen_where_the_task_policy_was_to_act(
    bundle: Path, observations: np.ndarray
) -> None:
    log, _ = acted(bundle, observations)
    lines = log.read_bytes().splitlines()
    noise = stream(seed_words(0), 0).standard_normal((3, 2))[2]

    def forge(number: int, record: dict[str, Any]) -> None:
        if number == 4:
            drawn = np.array(record["base"]["mean"]) + np.array(record["base"]["std"]) * noise
            record.update(
                played="base", drawn=drawn.tolist(), max_log_ratio=0.0, cost=0.0, log_ratio=0.0
            )
            del record["chosen"]

    log.write_bytes(resealed(lines, forge))
    assert failed(audit_log(log)) == []
    assert failed(audit_log(log, read_bundle(bundle))) == ["replay"]
