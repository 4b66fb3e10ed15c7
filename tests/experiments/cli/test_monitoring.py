"""sport-ray monitor: prints, checks, plots; exit statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sport_ray.deploy.monitoring import Monitor, Promise, read_log
from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app

PROMISE = Promise(
    bound=0.1, beta=1e-7, rests_on="certificate a", bundle="b" * 64, env_id="my/Robot-v0",
    property="[red](!hazard) U goal\x1b[31m", statement="s",
)  # fmt: skip


def written(path: Path, verdicts: list[bool | None]) -> Path:
    with Monitor(path, PROMISE) as monitor:
        for violated in verdicts:
            monitor.begin()
            monitor.record(violated)
    return path


def run(*arguments: Any) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["monitor", *map(str, arguments)])
    if isinstance(found.exception, UserError):
        return getattr(found.exception, "exit_status", 2), str(found.exception)
    return found.exit_code, found.output


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    return written(tmp_path / "calm.jsonl", [False] * 60 + [None] + [False] * 40)


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return written(tmp_path / "bad.jsonl", [True] * 30)


def test_it_says_what_is_known(calm):
    status, output = run(calm)
    assert status == 0
    assert "101" in output
    assert "1 unknown (in the bound they violated)" in output
    assert "average risk so far ≤ 0.1, confidence 1 − 0.0010001" in output
    assert "alarm" in output
    assert "none; evidence" in output
    assert "[red](!hazard) U goal" in output  # no markup
    assert "\x1b" not in output
    assert read_log(calm).digest in output


def test_an_alarm_has_its_exit_status(bad, calm):
    status, output = run(bad)
    assert status == 3
    assert "REFUTED after episode" in output
    status, output = run(calm, bad)
    assert status == 3
    assert "1 of 2 logs REFUTE" in output
    assert run(calm)[0] == 0


def test_for_scripts(calm, bad):
    status, output = run(calm, bad, "--json")
    assert status == 3
    told = json.loads(output)
    assert told["logs"][str(calm)]["num_episodes"] == 101
    assert told["logs"][str(bad)]["alarm"] is not None
    assert told["together"]["num_episodes"] == 131
    assert json.loads(run(calm, "--json")[1])["together"] is None


def test_a_log_that_was_altered(calm):
    digest = read_log(calm).digest
    assert run(calm, "--digest", digest)[0] == 0
    status, said = run(calm, "--digest", "0" * 64)
    assert status == 1
    assert "not in its chain" in said
    calm.write_bytes(calm.read_bytes().replace(b'"unknown"', b'"safe"', 1))
    status, said = run(calm)
    assert status == 1
    assert "does not hold: line" in said


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_plot(calm, tmp_path, suffix):
    status, output = run(calm, "--plot", tmp_path / f"plot.{suffix}")
    assert status == 0
    assert (tmp_path / f"plot.{suffix}").stat().st_size > 5_000
    assert "plot:" in output


def test_mistakes_are_a_line(calm, bad, tmp_path):
    for arguments, said in (
        ((tmp_path / "none",), "cannot be read: No such file"),
        ((calm, "--plot", tmp_path / "plot.gif"), r"must end in .png or .svg"),
        ((calm, "--plot", tmp_path / "calm.jsonl" / "plot.png"), "cannot be written"),
        ((calm, bad, "--plot", tmp_path / "plot.png"), "are about one log"),
        ((calm, calm), "given twice"),
    ):
        status, found = run(*arguments)
        assert status == 2
        assert said in found
        assert "\n" not in found
