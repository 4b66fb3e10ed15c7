"""sport-ray verify as a reader meets it: what is shown, and of what kind of file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sport_ray.canonical import digest, write_json
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.stages.base import BUNDLED

SHIPPED = BUNDLED / "point_reach_avoid"


def verify(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"COLUMNS": "300"})
    return done.exit_code, done.output


@pytest.fixture
def folder(tmp_path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "copy"))


def rewrite(folder: Path, **changes) -> None:
    path = folder / "certificate.json"
    body = {k: v for k, v in json.loads(path.read_text()).items() if k != "digest"} | changes
    write_json(path, {**body, "digest": digest(body)})


@pytest.mark.parametrize(
    "text",
    [
        "2\n\x1b[1A\x1b[2K\r[green]signature    passed[/green]\x1b[8m",
        "[/bold]",
        "[link=http://x]y[/link] [/] \\[",
        "\u202egnp.\x9b31m\x07\x00",
    ],
)
@pytest.mark.parametrize("where", ["versions", "code", "property"])
def test_what_a_file_says_neither_steers_the_terminal_nor_is_markup(where, text, folder):
    given = text if where == "property" else {text: "1", "torch": text}
    rewrite(folder, **{where: given})
    status, output = verify(folder)
    assert status in (0, 1)
    assert not any(char in output for char in "\x1b\x9b\x07\x00\u202e\r")
    assert not [line for line in output.splitlines() if line.startswith("signature")]
    if "[green]" in text and where != "property":
        assert "[green]signature" in output  # shown as it is, not obeyed


def test_missing_and_altered_read_differently(folder, tmp_path):
    assert verify(folder)[0] == 0
    table = folder / "certificate_outcomes.parquet"
    data = table.read_bytes()
    table.write_bytes(data[:-9] + b"x" + data[-8:])
    status, output = verify(folder)
    assert status == 1
    assert "does not hold" in output
    assert "cannot be verified" not in output
    table.unlink()
    status, output = verify(folder)
    assert status == 1
    assert "cannot be verified, a file is missing: table file" in output
    assert "does not hold" not in output
    assert "MISSING" in output
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "nowhere"):
        status, output = verify(nothing)
        assert status == 1
        assert "does not exist" in output
        assert "does not hold" not in output


def test_a_bundle_is_verified_as_one(folder):
    """Its manifest first: without one, or with another, no certificate in it passes for it."""
    (folder / "task").mkdir()
    status, output = verify(folder)
    assert status == 1
    assert "manifest.json does not exist" in output
    assert "MISSING" in output
    (folder / "manifest.json").write_text("{}")
    for path in (folder, folder / "manifest.json"):
        status, output = verify(path)
        assert status == 1
        assert "does not hold" in output
        assert "manifest.json" in output
