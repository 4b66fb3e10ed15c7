"""The deployed policy where nothing but the method and what it needs can be imported."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import sport_ray
from sport_ray.deploy import audit_log, load
from sport_ray.deploy.export import Export, write_bundle
from tests.sport_ray.deploy.conftest import MODULE, Leaning

ALLOWED = ("numpy", "scipy", "numba", "torch", "pydantic", "safetensors", "gymnasium")
"""As docs/deployment.md says."""
FORBIDDEN = {"ray", "mlflow", "pandas", "pyarrow", "cryptography", "typer", "matplotlib"}
HEAD = """
from collections.abc import Mapping
from typing import Any, Self
import numpy as np
from sport_ray.selection import Score
class Leaning(Score):
    name = 'leaning'
"""
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from sport_ray.deploy import audit_log, load, read_bundle
folder = Path(sys.argv[1])
policy = load(folder, log=folder / "apart.jsonl")
actions = []
for seed in (1, 2):
    policy.reset(seed)
    actions += [policy.act(row).tolist() for row in np.load(folder / "seen.npy")]
policy.close()
assert all(check.passed for check in audit_log(folder / "apart.jsonl", read_bundle(folder)))
print(json.dumps([actions, sorted(name for name in sys.modules if "." not in name)]))
"""


def needed(name: str, found: set[str]) -> set[str]:
    """A distribution and, transitively, what it requires."""
    if name in found:
        return found
    found.add(name)
    for line in importlib.metadata.requires(name) or []:
        requirement, _, marker = line.partition(";")
        other = re.split(r"[^A-Za-z0-9_.-]", requirement.strip())[0].lower()
        try:
            importlib.metadata.distribution(other)
        except importlib.metadata.PackageNotFoundError:
            continue
        if "extra" not in marker:
            needed(other, found)
    return found


def site_with(names: set[str], folder: Path) -> None:
    """A folder of links to the packages of these distributions and nothing else."""
    folder.mkdir()
    for name in names:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(distribution.locate_file(top))
    (folder / "sport_ray").symlink_to(Path(sport_ray.__file__).parent)


def test_the_same_actions_without_anything_else(
    bundle: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    names: set[str] = set()
    for name in ALLOWED:
        needed(name, names)
    assert not names & FORBIDDEN
    site_with(names, tmp_path / "site")
    np.save(bundle / "seen.npy", observations[:10])
    run = subprocess.run(
        [sys.executable, "-S", "-c", SCRIPT, str(bundle)],
        env={
            "PYTHONPATH": str(tmp_path / "site"),
            "PATH": "/usr/bin:/bin",
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
        },
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    actions, modules = json.loads(run.stdout)
    assert not FORBIDDEN & set(modules)
    policy = load(bundle)
    expected = []
    for seed in (1, 2):
        policy.reset(seed)
        expected += [policy.act(row).tolist() for row in observations[:10]]
    assert actions == expected
    assert not [check for check in audit_log(bundle / "apart.jsonl") if check.passed is False]


def test_a_choice_among_a_users_samples_needs_nothing_else_either(
    sampler_bundle: Callable[..., Path], module: Path, observations: np.ndarray, tmp_path: Path
) -> None:
    folder = sampler_bundle("ratio")
    names: set[str] = set()
    for name in ALLOWED:
        needed(name, names)
    site_with(names, tmp_path / "site")
    np.save(folder / "seen.npy", observations[:10])
    # The score of these tests, without the test suite's own imports.
    source = inspect.getsource(Leaning).replace("class Leaning(Score):", HEAD)
    (module.parent / "own_score.py").write_text(source)
    script = "import own_score\n" + SCRIPT.replace(
        "load(folder, ", f"load(folder, trust_module={MODULE!r}, "
    ).replace("read_bundle(folder)", f"read_bundle(folder, trust_module={MODULE!r})")
    run = subprocess.run(
        [sys.executable, "-S", "-c", script, str(folder)],
        env={
            "PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), str(module.parent)]),
            "PATH": "/usr/bin:/bin",
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR", ""),
        },
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    actions, modules = json.loads(run.stdout)
    assert not (FORBIDDEN | {"packaging"}) & set(modules)
    policy = load(folder, trust_module=MODULE)
    expected = []
    for seed in (1, 2):
        policy.reset(seed)
        expected += [policy.act(row).tolist() for row in observations[:10]]
    assert actions == expected


def test_our_scores_are_known_where_nothing_but_a_bundle_is_loaded(
    export_of: Callable[..., Export], tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", export_of("ratio", "selector"))
    script = "import sys; from sport_ray.deploy import load; print(load(sys.argv[1]).bundle.task)"
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "bundle")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "TaskDensity" in run.stdout


def test_importing_it_loads_nothing_else_even_where_it_is_there() -> None:
    script = "import sys, sport_ray.deploy; print(*sorted(n for n in sys.modules if '.' not in n))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    loaded = set(run.stdout.split())
    assert set(ALLOWED) <= loaded
    assert not loaded & FORBIDDEN
