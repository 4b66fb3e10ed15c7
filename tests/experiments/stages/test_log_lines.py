"""Progress that is piped: plain lines from the first second on, and nothing of a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from sport_ray.experiments.stages import log_lines
from sport_ray.experiments.stages.progress import counting


def lines(capsys, pause: float, monkeypatch) -> tuple[list[str], str]:
    """What counting to ten leaves on stderr and on the console's own stream."""
    monkeypatch.setattr(log_lines, "FIRST", pause)
    monkeypatch.setattr(log_lines.LogLines, "_pause", pause)
    stream = io.StringIO()
    with counting(Console(file=stream), "certify: scenarios", 10) as advance:
        begun = capsys.readouterr().err
        assert begun.startswith("certify: scenarios 0/10")  # before anything is done
        for _ in range(10):
            advance(1)
    return [begun, *capsys.readouterr().err.splitlines()], stream.getvalue()


def test_the_first_line_is_there_before_anything_is_done_and_the_last_says_all(capsys, monkeypatch):
    found, printed = lines(capsys, 1e9, monkeypatch)
    assert len(found) == 2
    assert found[-1].startswith("certify: scenarios 10/10")
    assert printed == ""
    for sign in ("\x1b", "\r", "━", "─"):
        assert sign not in "".join(found)


def test_it_says_more_where_time_passes(capsys, monkeypatch):
    found, _ = lines(capsys, 0.0, monkeypatch)
    assert len(found) == 11
    assert len({line.split(":")[1] for line in found}) == 11


def test_nothing_is_told_of_nothing(capsys):
    """A stage that has no scenario left to run."""
    with counting(Console(file=io.StringIO()), "mix: fresh scenarios", 0) as advance:
        advance(0)
    assert capsys.readouterr().err == ""


def test_a_quiet_console_stays_quiet(capsys):
    with counting(Console(quiet=True), "certify: scenarios", 10) as advance:
        advance(10)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
