"""Files are read and written in UTF-8, not in whatever the locale of a machine says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("sport_ray", "tracking", "experiments", "benchmarks")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]


def without_encoding(file: Path) -> list[int]:
    """Lines that read or write text and do not say how."""
    found = []
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        said = any(one.arg in ("encoding", None) for one in call.keywords) or any(
            isinstance(one, ast.Constant) and one.value == "utf-8" for one in call.args
        )
        binary = any(isinstance(one, ast.Constant) and "b" in str(one.value) for one in call.args)
        of_the_system = isinstance(call.func, ast.Attribute) and (
            getattr(call.func.value, "id", "")
            in ("os", "cls", "Sweep", "webbrowser", "Image", "archive")
        )
        if name in ("read_text", "write_text") and not said:
            found.append(call.lineno)
        if name == "open" and call.args and not (said or binary or of_the_system):
            found.append(call.lineno)
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_text_is_read_and_written_in_utf_8(file: Path) -> None:
    assert without_encoding(file) == []
