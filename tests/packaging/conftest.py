"""Both distributions as a release has them: the wheel is built from the source distribution."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[str]:
    """The files of the repository, those not yet committed among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).exists())


@pytest.fixture(scope="session")
def files() -> list[str]:
    return tracked()


@pytest.fixture(scope="session")
def copy_to(files: list[str]) -> Callable[[Path], Path]:
    """Copies the repository's files, without git: a build leaves files behind where it ran."""

    def copy(folder: Path) -> Path:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        return folder

    return copy


@pytest.fixture(scope="session")
def dist(copy_to: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both, from a copy that has neither git nor tags."""
    folder = tmp_path_factory.mktemp("dist")
    source = copy_to(tmp_path_factory.mktemp("source"))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    [found] = dist.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    [found] = dist.glob("*.tar.gz")
    return found
