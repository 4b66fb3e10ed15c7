"""Nothing that users exchange can run code: no pickle, no eval, no yaml beyond data."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("sport_ray", "experiments", "tracking")
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
"""Formats whose reading runs code."""
CALLS = {"eval", "exec", "compile", "__import__"}
LOADERS = {
    # Each of these starts from files that Ray or torch have pickled.
    "restore": "Tuner.restore",
    "from_checkpoint": "Algorithm.from_checkpoint",
    "restore_from_path": "restore_from_path",
    "get_state_from_checkpoint": "get_state_from_checkpoint",
    "read_pickle": "pandas.read_pickle",
    "unsafe_load": "yaml.unsafe_load",
    "full_load": "yaml.full_load",
}
ALLOWED: dict[tuple[str, str], str] = {
    ("experiments/stages/import_base.py", "Algorithm.from_checkpoint"): (
        "a checkpoint of the user's own, only after --trust, which says what it does"
    ),
    ("sport_ray/testing/constraints.py", "pickle"): (
        "of an object that the check itself pickled, as Ray does"
    ),
    ("sport_ray/testing/families.py", "pickle"): (
        "of an object that the check itself pickled, as Ray does"
    ),
}
"""(file, finding) that is all right, with the reason."""


def source_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a chain of attributes; "" where its root is not a name."""
    if isinstance(node, ast.Attribute):
        root = dotted(node.value)
        return f"{root}.{node.attr}" if root else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> object:
    """The constant given for a keyword; None where it is absent or not a constant."""
    for each in call.keywords:
        if each.arg == name and isinstance(each.value, ast.Constant):
            return each.value.value
    return None


def in_call(call: ast.Call) -> str | None:
    """What is wrong with one call."""
    name = dotted(call.func)
    root, last = name.split(".")[0], name.rpartition(".")[2]
    if name in CALLS:
        return name
    if root == "torch" and last == "load" and keyword(call, "weights_only") is not True:
        return "torch.load without weights_only=True"
    if name == "torch.save":
        return name
    if last == "load" and root in ("np", "numpy") and keyword(call, "allow_pickle") is not False:
        return "numpy.load without allow_pickle=False"
    if any(each.arg == "allow_pickle" for each in call.keywords) and (
        keyword(call, "allow_pickle") is not False
    ):
        return "allow_pickle"
    if root == "yaml" and last in ("load", "load_all"):
        given = [dotted(each) for each in call.args[1:]]
        given += [dotted(each.value) for each in call.keywords if each.arg == "Loader"]
        if not any("Safe" in loader for loader in given):
            return "yaml.load without a safe loader"
    if last in LOADERS:
        return LOADERS[last]
    return None


def findings(source: str) -> list[str]:
    """What in a module reads code as data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module:
            root = node.module.split(".")[0]
            names = {alias.name for alias in node.names}
            if root in MODULES or names & MODULES:
                found.append(node.module)
            if root in ("torch", "numpy", "yaml") and names & {"load", "load_all", *LOADERS}:
                found.append(f"from {root} import load")  # hides it from the checks below
        elif isinstance(node, ast.Call) and (wrong := in_call(node)):
            found.append(wrong)
    return found


@pytest.mark.parametrize("path", source_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_of_ours_reads_code_as_data(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = [each for each in findings(path.read_text()) if (name, each) not in ALLOWED]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    for name, finding in ALLOWED:
        assert finding in findings((ROOT / name).read_text()), name


def test_all_packages_are_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in source_files()} == set(PACKAGES)
    assert len(source_files()) > 50


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import cloudpickle as p",
        "from ray import cloudpickle",
        "from pickle import loads",
        "import torch\ntorch.load(p)",
        "import torch\ntorch.load(p, weights_only=False)",
        "import torch\ntorch.load(p, weights_only=maybe)",
        "from torch import load",
        "import numpy as np\nnp.load(p)",
        "import numpy as np\nnp.load(p, allow_pickle=True)",
        "import numpy as np\nnp.lib.format.read_array(f, allow_pickle=True)",
        "eval('1')",
        "exec(text)",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import yaml\nyaml.unsafe_load(text)",
        "import pandas as pd\npd.read_pickle(p)",
        "from ray import tune\ntune.Tuner.restore(p, f)",
        "Algorithm.from_checkpoint(p)",
        "__import__(name)",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert findings(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(p, weights_only=True)",
        "import numpy as np\nnp.load(p, allow_pickle=False)",
        "import yaml\nyaml.safe_load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import re\nre.compile('x')",
        "module.eval()",
        "import json\njson.load(f)",
    ],
)
def test_what_is_harmless_passes(source: str) -> None:
    assert findings(source) == []
