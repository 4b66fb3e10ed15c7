"""numba's cache where there is a place for it, and the same numbers where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sport_ray
from sport_ray import compiled

PACKAGE = Path(sport_ray.__file__).parent


def read_only_copy(tmp_path: Path) -> Path:
    """The package where no folder for compiled code can be made, also not by root."""
    copy = tmp_path / "sport_ray"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("a file, where numba wants a folder")
    return copy


@pytest.mark.parametrize("given", [{}, {"NUMBA_CACHE_DIR": "/dev/null/cache"}])
def test_modules_are_imported_where_nothing_can_be_cached(tmp_path, given):
    copy = read_only_copy(tmp_path)
    script = (
        "import sport_ray; import sport_ray.envs.dynamics, sport_ray.envs.observation;"
        "import sport_ray.families.gaussian.gradient, sport_ray.families.gaussian.mean_shift as m;"
        "print(sport_ray.__file__)"
    )
    nowhere = {
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    env = {**os.environ, **nowhere, **given, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == str(copy / "__init__.py")
    assert done.stderr.count("set NUMBA_CACHE_DIR to a folder that can be written") == 1


def test_a_disk_that_is_full_when_the_code_is_kept_fails_no_call(monkeypatch):
    def twice(x):
        return x + x

    function = compiled.njit()(twice)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(function._cache), "_save_overload", full, raising=True)
    assert function(3.0) == 6.0
