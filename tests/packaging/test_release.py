"""docs/release.md and the files that a release changes say the same as pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_oldest_versions_that_were_tried_are_the_lower_bounds() -> None:
    page = (ROOT / "docs" / "release.md").read_text()
    rows = re.findall(r"^\| ([\w-]+) \| ([\d.]+) \| ([\d.]+) \|", page, flags=re.M)
    told = {name: (Version(oldest), Version(newest)) for name, oldest, newest in rows}
    needed = {one.name: one.specifier for one in map(Requirement, PROJECT["dependencies"])}
    assert told.keys() == needed.keys()
    for name, (oldest, newest) in told.items():
        assert oldest in needed[name], name
        assert newest in needed[name], name
        [bound] = [one.version for one in needed[name] if one.operator in (">=", "==")]
        assert oldest == Version(bound.replace(".*", "")), name


def test_the_changelog_is_in_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", text, flags=re.M)
    assert versions[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ – \d{4}-\d\d-\d\d", one) for one in versions[1:])
    kinds = re.findall(r"^### (.+)$", text, flags=re.M)
    assert set(kinds) <= SECTIONS
    before_first = text.partition("\n### ")[0]
    assert "\n- " not in before_first  # every change is of a kind


def test_the_citation_has_a_version_only_of_a_release() -> None:
    released = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited.get("version") == (released[0] if released else None)
    assert ("date-released" in cited) == bool(released)
