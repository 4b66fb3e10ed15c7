"""The two distributions: all that ships and nothing else, their version and their metadata."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

PACKAGES = ("sport_ray/", "experiments/", "tracking/")
LINKS = {"sport_ray/experiments", "sport_ray/tracking"}
STAYS = {".ipynb"}
"""Of the packages: what is for readers of the repository alone."""
BESIDE = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
MADE = ("PKG-INFO", "setup.cfg", "sport_ray.egg-info/")

pytestmark = pytest.mark.slow


def shipped(files: list[str]) -> set[str]:
    """Where the repository's files belong in an installation, without those that stay."""
    inside = {one for one in files if one.startswith(PACKAGES) and Path(one).suffix not in STAYS}
    return {one if one.startswith("sport_ray/") else f"sport_ray/{one}" for one in inside - LINKS}


def test_the_wheel_holds_what_ships_and_nothing_else(wheel: Path, files: list[str]) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == shipped(files)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in about)


def test_the_source_distribution_is_what_the_wheel_is_made_from(
    sdist: Path, files: list[str]
) -> None:
    with tarfile.open(sdist) as archive:
        members = [one for one in archive.getmembers() if not one.isdir()]
    assert all(one.isreg() for one in members)  # no links: Windows and zip have none
    names = {one.name.partition("/")[2] for one in members}
    assert {one for one in names if not one.startswith(MADE)} == shipped(files) | BESIDE


def test_metadata_is_accepted_by_an_index(dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, dist.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_tags_there_is_a_version_all_the_same(wheel: Path, sdist: Path) -> None:
    assert wheel.name == "sport_ray-0.1.dev0-py3-none-any.whl"
    assert sdist.name == "sport_ray-0.1.dev0.tar.gz"


@pytest.mark.parametrize(
    ("tag", "later", "version"),
    [("v1.2.3", False, "1.2.3"), ("v1.2.3", True, "1.2.4.dev1"), (None, False, "0.1.dev1")],
)
def test_a_tag_is_the_version(
    copy_to: Callable[[Path], Path], tmp_path: Path, tag: str | None, later: bool, version: str
) -> None:
    copy_to(tmp_path)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-C", str(tmp_path)]
    commands = [["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]]
    commands += [["tag", tag]] if tag else []
    commands += [["commit", "-qm", "later", "--allow-empty"]] if later else []
    for command in commands:
        subprocess.run([*git, *command], check=True, capture_output=True, timeout=120)
    asked = [sys.executable, "-m", "setuptools_scm", "--root", str(tmp_path)]
    told = subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert told.strip().partition("+")[0] == version


def test_the_classifiers_are_true(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        told = message_from_bytes(archive.read(name))
    pythons = [one.rpartition(" ")[2] for one in told.get_all("Classifier", []) if ":: 3." in one]
    assert pythons == ["3.11", "3.12", "3.13"]
    assert told["Requires-Python"] == "<3.14,>=3.11"
    assert told["License-Expression"] == "Apache-2.0"
