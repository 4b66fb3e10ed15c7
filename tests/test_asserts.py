"""``python -O`` drops every assert: none may do anything, nor keep a promise."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    path
    for name in ("sport_ray", "experiments", "tracking")
    for path in (ROOT / name).rglob("*.py")
]


def narrows(test: ast.expr) -> bool:
    """Tells the type checker what is known: ``x is not None``, ``isinstance(x, Kind)``, no more."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return all(map(narrows, test.values))
    if isinstance(test, ast.Compare):
        parts = [test.left, *test.comparators]
        return isinstance(test.ops[0], ast.IsNot) and all(map(still, parts))
    named = isinstance(test, ast.Call) and isinstance(test.func, ast.Name)
    return named and test.func.id == "isinstance" and all(map(still, test.args))


def still(value: ast.expr) -> bool:
    """A name, an attribute or a constant: nothing is called."""
    if isinstance(value, ast.Attribute):
        return still(value.value)
    return isinstance(value, (ast.Name, ast.Constant))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_assert_only_narrows_a_type(path):
    tree = ast.parse(path.read_text("utf-8"))
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    found = [f"{node.lineno}: {ast.unparse(node)}" for node in asserts if not narrows(node.test)]
    assert not found


LOCK = """
import pathlib, sys
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.config.study import load_study
folder = StudyFolder(pathlib.Path(sys.argv[2]), load_study(pathlib.Path(sys.argv[1])))
folder.claim(None)
print(sys.flags.optimize, folder._lock is not None, (folder.root / ".driver.lock").exists())
"""


@pytest.mark.parametrize("level", ["0", "1", "2"])
def test_the_folder_is_locked_whatever_the_optimisation(level, tmp_path):
    """C22: the lock was taken inside an assert."""
    words = [
        sys.executable,
        "-c",
        LOCK,
        str(ROOT / "experiments" / "studies" / "quickstart.yaml"),
        str(tmp_path / "r"),
    ]
    env = {**os.environ, "PYTHONOPTIMIZE": level, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [level, "True", "True"]
