"""A monitor's file: small, whole after any cut, and no byte of it can be altered unnoticed."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sport_ray.canonical import canonical_json
from sport_ray.deploy.monitoring import Damaged, Monitor, Promise, log, read_log, report
from sport_ray.deploy.monitoring.log import whole
from sport_ray.errors import UserError


@pytest.fixture
def written(path: Path, promise: Promise) -> Path:
    """A first line with four episodes and an update, and lines of three more, one running."""
    with Monitor(path, promise) as monitor:
        for violated in (False, True, None, False):
            monitor.begin()
            monitor.record(violated)
        monitor.update(promise.model_copy(update={"bound": 0.2}))
    with Monitor(path) as monitor:
        for violated in (False, True):
            monitor.begin()
            monitor.record(violated)
        monitor.begin()
    return path


def test_it_reads_what_was_written(written, promise):
    history = read_log(written)
    assert [history.verdict(n) for n in range(1, 7)] == [
        "safe", "violated", "unknown", "safe", "safe", "violated",
    ]  # fmt: skip
    assert history.running
    assert history.promised().tolist() == [0.1] * 4 + [0.2] * 2
    assert history.violated == (2, 6)
    assert history.digest == list(history.chain())[-1][1]
    assert written.read_bytes().count(b"\n") == 6


def test_no_byte_can_be_changed(written):
    """Each byte in turn, to its neighbour."""
    data, history = written.read_bytes(), read_log(written)
    for place in range(len(data)):
        for other in {data[place] ^ 1} - {data[place]}:
            written.write_bytes(data[:place] + bytes([other]) + data[place + 1 :])
            try:
                found = read_log(written)
            except Damaged:
                continue
            # Only the last line's end, which makes it a line that was cut short.
            assert place == len(data) - 1
            assert found.digest == history.digest
            assert not found.running


def test_a_cut_leaves_what_was_there_before(written):
    data, history = written.read_bytes(), read_log(written)
    digests = {digest for _, digest in history.chain()}
    first = data.index(b"\n") + 1
    for end in range(len(data)):
        written.write_bytes(data[:end])
        if end < first:
            with pytest.raises(Damaged, match="no whole line"):
                read_log(written)
            continue
        found = read_log(written)
        assert found.digest in digests
        with Monitor(written) as monitor:  # goes on from there
            assert monitor.num_episodes == found.num_episodes
            if monitor.running:
                monitor.record(None)
            monitor.begin()
            monitor.record(True)
        again = read_log(written)
        assert again.num_episodes == found.num_episodes + found.running + 1
        assert again.verdict(again.num_episodes) == "violated"


def test_lines_cannot_be_moved_left_out_or_repeated(written):
    lines = written.read_bytes().splitlines(keepends=True)
    for i in range(len(lines) - 1):
        for changed in (
            lines[:i] + lines[i + 1 :],
            [*lines[: i + 1], *lines[i:]],
            [*lines[:i], lines[i + 1], lines[i], *lines[i + 2 :]],
        ):
            written.write_bytes(b"".join(changed))
            with pytest.raises(Damaged, match="does not hold: line"):
                read_log(written)


def test_a_noted_digest_shows_that_nothing_before_it_was_altered(written, history_of):
    history = read_log(written)
    for _, digest in history.chain():
        assert read_log(written, digest).digest == history.digest
    with pytest.raises(Damaged, match="not in its chain"):
        read_log(written, "0" * 64)
    other = history_of([False, False, None, False, False, True])  # a whole log, written anew
    written.write_bytes(whole(other))
    assert read_log(written).digest == other.digest
    with pytest.raises(Damaged, match="not in its chain"):
        read_log(written, history.digest)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"violated": [2, 2]}, "not in order"),
        ({"violated": [9]}, "that it has not"),
        ({"violated": [3]}, "two verdicts"),
        ({"promises": []}, "promises are not in order"),
        ({"num_episodes": 10**9}, "num_episodes is wrong"),
        ({"num_episodes": -1}, "num_episodes is wrong"),
        ({"num_episodes": 4.0}, "num_episodes is wrong"),
        ({"more": 1}, "more is wrong"),
        ({"schema": "sport-ray/monitor/9"}, "schema is wrong"),
        ({"unknown": [3, 1]}, "not in order"),
        ({"violated": [1]}, "digest does not match"),
    ],
)
def test_a_first_line_that_cannot_be(path, history_of, change, said):
    record = json.loads(whole(history_of([False, True, None, False])))
    path.write_bytes(canonical_json(record | change) + b"\n")
    with pytest.raises(Damaged, match=said):
        read_log(path)


@pytest.mark.parametrize(
    "data", [b"\n", b"[]\n", b"{}\n", b"\x00\xff\n", b'{"a":NaN}\n', b"[" * 100_000 + b"\n", b""]
)
def test_what_is_no_log_is_refused_in_a_line(path, data):
    path.write_bytes(data)
    with pytest.raises(Damaged) as found:
        read_log(path)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 600
    with pytest.raises(Damaged):
        Monitor(path)


def test_files_that_cannot_be_read(tmp_path, promise):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_log(tmp_path / "none")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_log(tmp_path)
    with pytest.raises(UserError, match="cannot be made: No such file"):
        Monitor(tmp_path / "no" / "folder.jsonl", promise)


def test_it_stays_small(path, promise, monkeypatch):
    """Ten times the lines are no larger: safe episodes are a number, others a few digits each."""
    monkeypatch.setattr(os, "fdatasync", lambda file: None)  # 10,000 waits are not the point
    monkeypatch.setattr(os, "fsync", lambda file: None)
    with Monitor(path, promise) as monitor:
        largest = 0
        for number in range(5_000):
            monitor.begin()
            monitor.record(number % 100 == 0)
            largest = max(largest, path.stat().st_size)
        digest = monitor.digest
    assert largest < 180 * log.MOST_LINES + 2_000
    assert path.read_bytes().count(b"\n") <= log.MOST_LINES + 1
    history = read_log(path, digest)
    assert report(history).num_violations == 50
    with Monitor(path) as monitor:
        monitor.begin()
    assert path.stat().st_size < 2_000


class Stop(Exception):
    """In place of Ctrl-C."""


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync", "open", "ftruncate", "replace"])
@pytest.mark.parametrize("failure", ["full", "half", "interrupt", "late interrupt"])
def test_what_fails_counts_nothing(path, promise, monkeypatch, call, failure):
    """A full disk or an interrupt at any call: nothing is counted, the next attempt works."""
    real = {"replace": Path.replace}.get(call) or getattr(os, call)
    where = Path if call == "replace" else os
    failing = {"now": False}

    def broken(*arguments, **options):
        if not failing["now"]:
            return real(*arguments, **options)
        failing["now"] = False
        if failure == "half" and call == "pwrite":
            file, data, place = arguments
            return real(file, data[: len(data) // 2], place)
        if failure == "late interrupt":
            real(*arguments, **options)
        if "interrupt" in failure:
            raise Stop
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(log, "MOST_LINES", 3)  # written anew every few lines
    monkeypatch.setattr(where, call, broken)
    with Monitor(path, promise) as monitor:
        for violated in (False, True, False, None, True, False, True):
            for act in (monitor.begin, lambda violated=violated: monitor.record(violated)):
                before = monitor.history
                failing["now"] = True
                try:
                    act()
                except (OSError, Stop):
                    assert monitor.history == before
                    read_log(path)  # whole, for whoever looks now
                    failing["now"] = False
                    act()
                failing["now"] = False
                assert read_log(path) == monitor.history
        known = monitor.report()
    assert read_log(path).violated == (2, 5, 7)
    assert read_log(path).unknown == (4,)
    again = report(read_log(path))
    assert again.evidence == pytest.approx(known.evidence, abs=1e-12)  # summed in other parts
    assert replace(again, evidence=known.evidence) == known


def test_a_full_disk_says_that_nothing_was_counted(path, promise, monkeypatch):
    with Monitor(path, promise) as monitor:
        number = monitor.begin()
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
            with pytest.raises(OSError, match="cannot be written: No space; nothing was counted"):
                monitor.record(True, episode=number)
        monitor.record(True, episode=number)
        assert monitor.report().num_violations == 1


def test_leftovers_of_a_killed_writer_are_removed(path, promise):
    Monitor(path, promise).close()
    left, other = path.with_name(".monitor.jsonl.12ab.tmp"), path.with_name(".other.12ab.tmp")
    for one in (left, other):
        one.write_bytes(b"half")
    Monitor(path).close()
    assert not left.exists()
    assert other.exists()
