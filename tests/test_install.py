"""How it is installed: no page and no message sends pip to an index for it; extras are as told."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KINDS = {".md", ".py", ".yaml", ".yml", ".ipynb", ".toml", ".cfg", ".txt", ".j2", ".sh", ""}
FOR_WORK_HERE = {"test", "docs", "release"}
BY_NAME = re.compile(
    r"""(?:pip|uv|pipx|conda|poetry)[ ][^\n`]*?(?:install|add)[ ][^\n`]*?"""
    r"""(?<![\w./~@-])['"]?sport[-_.]ray(?!/|-\d|\.git|_ray)(?:\[[\w,\s-]*\])?['"]?"""
    r"""(?!\s*@)(?=[\s'"`<=>~!;),]|$)""",
    re.IGNORECASE,
)
"""An installation by the bare name; paths, wheels and ``name @ URL`` are none."""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip install sport-ray", True),
        ('pip install "sport-ray[mujoco]"', True),
        ("pip install 'sport-ray[tuning]', or set it", True),
        ("pip install -U sport_ray", True),
        ("uv add sport-ray", True),
        ("pip install optuna sport-ray>=0.1", True),
        ("pip install ./sport-ray", False),
        ("pip install -e ~/sport-ray", False),
        ("pip install /home/ray/sport-ray", False),
        ('pip install "./sport-ray[mujoco,tuning]"', False),
        ("pip install ./sport_ray-0.1.0-py3-none-any.whl", False),
        ('pip install "sport-ray[mujoco] @ git+https://HOST/OWNER/sport-ray.git"', False),
        ('pip install "git+https://HOST/OWNER/sport-ray.git"', False),
    ],
)
def test_what_counts_as_an_installation_by_name(line: str, found: bool) -> None:
    assert bool(BY_NAME.search(line)) is found


def tracked() -> list[Path]:
    """The text files of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name and Path(name).suffix in KINDS]


def test_nobody_is_sent_to_an_index_for_it() -> None:
    files = [one for one in tracked() if one != Path(__file__) and one.is_file()]
    assert len(files) > 300
    found = {
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        for match in BY_NAME.finditer(file.read_text(encoding="utf-8", errors="replace"))
    }
    assert found == set()


def test_the_page_has_every_extra_with_its_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "install.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| .+? \| `pip install (.+?)` \|$", page, flags=re.MULTILINE)
    told = {extra: re.findall(r'"([^"]+)"', packages) for extra, packages in rows}
    extras = project["optional-dependencies"]
    assert told == {name: listed(extras, name) for name in extras.keys() - FOR_WORK_HERE}


def listed(extras: dict[str, list[str]], name: str) -> list[str]:
    """The packages of an extra, those of extras that it names among them."""
    found: list[str] = []
    for one in extras[name]:
        others = re.fullmatch(r"sport-ray\[([\w,-]+)\]", one)
        own = (
            [one]
            if others is None
            else [p for o in others[1].split(",") for p in listed(extras, o)]
        )
        found += own
    return found


def whole(requirement: str) -> str:
    """A requirement without a package's own extras: gymnasium's are at gymnasium's version."""
    return re.sub(r"\[[\w,]+\]", "", requirement)


def test_messages_and_pages_ask_for_what_the_extras_hold() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    known = {whole(one) for one in [*project["dependencies"], *(o for e in extras for o in e)]}
    names = {re.split(r"[<>=!~\[ ]", one)[0] for one in known}
    asked = re.compile(r'pip install [\\]?"([\w-]+(?:\[\w+\])?[<>=][^"\\]*)[\\]?"')
    found = {
        whole(asked_for)
        for file in tracked()
        if file.suffix in {".py", ".md"} and file.is_file() and file != Path(__file__)
        for asked_for in asked.findall(file.read_text(encoding="utf-8", errors="replace"))
        if re.split(r"[<>=!~\[ ]", asked_for)[0] in names
    }
    assert "optuna>=4" in found
    assert found <= known
