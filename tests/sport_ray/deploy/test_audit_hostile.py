"""Logs that someone made up: each is refused in one line that a terminal can be shown."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from sport_ray.deploy import Check, audit_log, load, read_bundle
from sport_ray.deploy.audit_log import LARGEST_LINE, AuditLog
from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
from tests.sport_ray.deploy.test_audit import acted, failed, resealed

EVIL = "\x1b]0;title\x07\x1b[2J\u202egnp\r\n[bold red]LOG HOLDS[/]"
VALUES: list[Any] = [
    EVIL, EVIL * 9999, None, True, -1, 1.5, [], {}, [EVIL], {EVIL: EVIL}, 10**400, "0", [[[0.0]]],
    [None, None], ["1.0", "2.0"], [True, False], 2**63,
]  # fmt: skip


def one_line(checks: list[Check]) -> None:
    for check in checks:
        assert check.detail.isprintable(), check
        assert len(check.detail) < 500, check


@pytest.fixture
def log(bundle: Path, observations: np.ndarray) -> Path:
    return acted(bundle, observations, steps=2)[0]


def test_any_value_in_any_field_is_refused_or_what_it_was(log: Path, bundle: Path) -> None:
    lines, whole = log.read_bytes().splitlines(), read_bundle(bundle)
    kinds: dict[str, int] = {}
    for number, line in enumerate(lines):
        kinds.setdefault(json.loads(line)["kind"], number)
    free = {("end", "reason"), ("open", "damage"), ("open", "on_breach"), ("open", "outside")}
    for kind, where in kinds.items():
        for field in set(json.loads(lines[where])) - {"previous", "digest"}:
            for value in VALUES:
                if value == json.loads(lines[where])[field] and type(value) is not bool:
                    continue

                def change(number: int, record: dict[str, Any], put: Any = value,
                           at: int = where, name: str = field) -> None:  # fmt: skip
                    if number == at:
                        record[name] = put

                log.write_bytes(resealed(lines, change))
                checks = audit_log(log, whole)
                one_line(checks)
                if (kind, field) not in free:
                    assert failed(checks), (kind, field, value)


def test_a_field_more_or_less_is_refused(log: Path, bundle: Path) -> None:
    lines = log.read_bytes().splitlines()
    for number, line in enumerate(lines):
        fields = set(json.loads(line)) - {"previous", "digest"}
        for name in (*fields, EVIL):

            def change(at: int, record: dict[str, Any], n: int = number, key: str = name) -> None:
                if at == n and record.pop(key, None) is None and key == EVIL:
                    record[key] = 1

            log.write_bytes(resealed(lines, change))
            checks = audit_log(log)
            one_line(checks)
            assert failed(checks), (number, name)


def raw(body: bytes) -> bytes:
    """A line of these very bytes, with their digest."""
    own = hashlib.sha256(body).hexdigest().encode()
    return body[:-1] + b',"digest":"' + own + b'"}\n'


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"open","kind":"close","previous":""}',
        b'{"kind":NaN,"previous":""}',
        b'{"kind":"open","previous":"","horizon":Infinity}',
        b'{"kind":' + b"[" * 200_000 + b"]" * 200_000 + b',"previous":""}',
        b'{"kind":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b',"previous":""}',
        b'{"kind":"open","previous":"","horizon":' + b"9" * 100_000 + b"}",
        b'{"kind":"\xff\xfe","previous":""}',
        b'{"kind":"\\ud800","previous":""}',
        b'{"kind":"__class__","previous":""}',
        b'{"kind":"checks","previous":""}',
        b'{"kind":["open"],"previous":""}',
        b"{}",
        b"[1]",
        b"\x00}",
    ],
)
def test_what_is_no_line_of_a_log_is_refused(body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(raw(body))
    checks = audit_log(path)
    one_line(checks)
    assert failed(checks)


def test_a_line_without_an_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with path.open("wb") as file:
        file.truncate(40 * 2**30)  # a hole: no disk is used
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checks = audit_log(path)
    assert failed(checks) == ["chain"]
    assert "more than" in checks[0].detail
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError, match="no file"):
            audit_log(path)


def test_a_line_that_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    written = AuditLog(tmp_path / "log.jsonl")
    with pytest.raises(OSError, match="a line may have"):
        written.write("breach", reason="x" * LARGEST_LINE)
    assert (tmp_path / "log.jsonl").stat().st_size == 0


def test_a_cut_tail_says_so(log: Path) -> None:
    data = log.read_bytes()
    for cut in (1, 2, 40, 200):
        log.write_bytes(data[:-cut])
        (chain,) = [check for check in audit_log(log) if check.name == "chain"]
        assert chain.passed is False
        assert "cut off" in chain.detail
    log.write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    assert "was not closed" in audit_log(log)[0].detail


def test_the_command_prints_nothing_of_a_log_that_a_terminal_obeys(
    log: Path, bundle: Path, tmp_path: Path
) -> None:
    lines = log.read_bytes().splitlines()

    def change(number: int, record: dict[str, Any]) -> None:
        if number == 2:
            record["played"] = EVIL

    (tmp_path / "a[bold]").mkdir()
    path = tmp_path / "a[bold]" / "log\x1b[2J.jsonl"
    path.write_bytes(resealed(lines, change))
    found = CliRunner().invoke(app, ["audit", str(path)])
    assert found.exit_code == 1
    assert "\x1b" not in found.output
    assert "\u202e" not in found.output
    assert "[bold red]LOG HOLDS[/]" in " ".join(found.output.split())  # as text
    assert "a[bold]" in found.output.replace("\n", "")


SPELLINGS = [5, [5], [5, 0], np.random.SeedSequence([5, 0, 0]), np.random.SeedSequence(5)]


def test_one_stream_spelled_in_many_ways_is_noticed(
    bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    policy = load(bundle, log=tmp_path / "log.jsonl")
    actions = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for seed in SPELLINGS:
            policy.reset(seed)  # type: ignore[arg-type]
            actions.append(policy.act(observations[0]).tolist())
        policy.reset()
        policy.reset(6)
    assert all(action == actions[0] for action in actions)
    assert len(told) == 4
    assert all("drawn again" in str(one.message) for one in told)
    known = policy.close()
    checks = {c.name: c for c in audit_log(tmp_path / "log.jsonl", read_bundle(bundle), known)}
    assert checks["seeds"].passed is None
    assert "4 episodes" in checks["seeds"].detail
    assert all(c.passed for name, c in checks.items() if name != "seeds")


FORGED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a stream gone back": lambda r: r.update(stream=0),
    "another step": lambda r: r.update(step=r["step"] + 1),
    "another episode": lambda r: r.update(episode=2),
}


@pytest.mark.parametrize("forgery", sorted(FORGED))
def test_a_breach_that_is_not_as_it_was_is_found(
    forgery: str, bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    policy = load(bundle, log=path, on_breach="base")
    policy.reset(1)

    class Interrupts:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise KeyboardInterrupt

    for _ in range(2):
        policy.act(observations[0])
        with pytest.raises(KeyboardInterrupt):
            policy.act(Interrupts())
    policy.act(observations[0])
    policy.close()
    lines = path.read_bytes().splitlines()
    breaches = [n for n, line in enumerate(lines) if json.loads(line)["kind"] == "breach"]
    assert [json.loads(lines[n])["stream"] for n in breaches] == [1, 2]
    assert failed(audit_log(path, read_bundle(bundle))) == ["promise"]

    def change(number: int, record: dict[str, Any]) -> None:
        if number == breaches[1]:
            FORGED[forgery](record)

    path.write_bytes(resealed(lines, change))
    assert failed(audit_log(path)) == ["order"]


def test_a_policy_that_raises_does_not_act_in_a_breach(log: Path) -> None:
    lines = log.read_bytes().splitlines()

    def change(number: int, record: dict[str, Any]) -> None:
        if number == 3:
            record.update(played="base", breach="x")
            del record["chosen"]

    log.write_bytes(resealed(lines, change))
    checks = audit_log(log)
    assert failed(checks) == ["bounds"]
    assert "raises on a breach" in next(c.detail for c in checks if c.passed is False)
