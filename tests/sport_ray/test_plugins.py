"""Classes of other packages: by module or entry point, told apart, and nothing runs unasked."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from sport_ray.constraints import CONSTRAINTS, Constraint, RatioConstraint, constraint_class
from sport_ray.errors import UserError
from sport_ray.families import FAMILIES, family_named
from sport_ray.plugins import CONSTRAINTS as PLUGINS
from sport_ray.plugins import announced, code_of, entry_point, plugin, require_code

COUNT = itertools.count()
MODULE = """
from dataclasses import dataclass
from sport_ray.constraints import RatioConstraint
import {helper}

@dataclass(frozen=True)
class Mine(RatioConstraint):
    name = "mine"

class Unfinished(RatioConstraint.__mro__[1]):
    pass

class Stranger:
    pass
"""


def site(folder: Path, distribution: str, *lines: str, group: str = PLUGINS.entry_points) -> None:
    """What an installation leaves beside its modules: a name, a version and entry points."""
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module of a user's own, one for each test, that nothing has imported."""
    name = f"own_bounds_{next(COUNT)}"
    (tmp_path / f"{name}_helper.py").write_text("NUMBER = 1\n")
    (tmp_path / f"{name}.py").write_text(MODULE.format(helper=f"{name}_helper"))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for known in [one for one in CONSTRAINTS if one.startswith(f"{name}:")]:
        del CONSTRAINTS[known]


def test_by_the_name_that_it_gives_itself_or_by_its_class(module: str) -> None:
    with pytest.raises(UserError, match="import it first if you trust it"):
        constraint_class(f"{module}:mine")
    assert module not in sys.modules  # a file that names it runs nothing
    found = constraint_class(f"{module}:mine", run_module=True)
    assert found.name == f"{module}:mine"
    assert constraint_class(f"{module}:Mine", run_module=True) is found
    assert constraint_class(f"{module}:mine") is found  # imported by now


def test_by_an_entry_point(module: str, tmp_path: Path) -> None:
    site(tmp_path, "own-bounds", f"short = {module}:Mine")
    assert entry_point(PLUGINS, "short") == f"{module}:Mine"
    assert "short" in announced(PLUGINS)
    assert module not in sys.modules
    with pytest.raises(UserError, match="unknown constraint 'short'"):
        constraint_class("short")  # of a file
    assert constraint_class("short", run_module=True).name == f"{module}:mine"


def test_what_ships_is_not_replaced(module: str, tmp_path: Path) -> None:
    site(tmp_path, "own-bounds", f"ratio = {module}:Mine")
    assert constraint_class("ratio", run_module=True) is RatioConstraint
    assert module not in sys.modules


def test_two_packages_with_one_name_are_told(module: str, tmp_path: Path) -> None:
    site(tmp_path, "first", f"short = {module}:Mine")
    site(tmp_path, "second", "short = elsewhere:Mine")
    with pytest.raises(UserError, match=r"by several packages: first \(own_.*second \(elsewhere"):
        constraint_class("short", run_module=True)
    assert module not in sys.modules


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("absent", "has nothing of that name; it has: mine"),
        ("Stranger", "has something else of that name; it has: mine"),
        ("Unfinished", "has no log_ratio_limit, project: define it"),
    ],
)
def test_a_mistake_is_one_line(module: str, attribute: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as error:
        constraint_class(f"{module}:{attribute}", run_module=True)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(f"constraint '{module}:{attribute}'")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(module, tmp_path, text, told) -> None:
    (tmp_path / f"{module}.py").write_text(text)
    with pytest.raises(UserError, match=f"constraint '{module}:x': cannot import .*{told}") as one:
        constraint_class(f"{module}:x", run_module=True)
    assert "\n" not in str(one.value)


def test_a_family_of_a_file_is_not_imported(module: str) -> None:
    with pytest.raises(UserError, match=f"family '{module}:coin' is defined in the module"):
        family_named(f"{module}:coin")
    assert module not in sys.modules
    with pytest.raises(UserError, match="has nothing of that name; derive it from Distribution"):
        family_named(f"{module}:coin", run_module=True)
    assert module not in {name.partition(":")[0] for name in FAMILIES}


def test_nothing_else_is_a_plug_in(module: str) -> None:
    assert plugin(PLUGINS, "nobody_has_this", Constraint, CONSTRAINTS) is None


def test_its_code_is_its_modules(module: str, tmp_path: Path) -> None:
    assert code_of("ratio") == {}
    constraint_class(f"{module}:mine", run_module=True)
    code = code_of(f"{module}:mine")
    assert set(code) == {module, f"{module}_helper"}
    require_code(f"{module}:mine", code)
    for other, told in (
        (code | {f"{module}_helper": "0" * 64}, f"{module}_helper has changed"),
        (code | {"lost": "0" * 64}, "lost is not here"),
        ({module: code[module]}, f"{module}_helper is new"),
    ):
        with pytest.raises(UserError, match=told):
            require_code(f"{module}:mine", other)


CODE = """
import sys
sys.path.insert(0, {site!r})
from sport_ray.constraints import constraint_class
from sport_ray.plugins import code_of
print(code_of(constraint_class("short", run_module=True).name))
"""


def test_the_code_of_an_installed_one_is_its_version(tmp_path: Path) -> None:
    folder = tmp_path / "site-packages"
    site(folder, "own-bounds", "short = own_bounds:Mine")
    (folder / "own_bounds.py").write_text(MODULE.format(helper="math"))
    (folder / "own_bounds-1.0.dist-info" / "RECORD").write_text("own_bounds.py,,\n")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(site=str(folder))], capture_output=True, text=True,
        env=os.environ, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'distribution own-bounds': '1.0'}"


def test_this_project_announces_none_itself() -> None:
    found = metadata.entry_points(group=PLUGINS.entry_points)
    assert not [one for one in found if one.dist is not None and one.dist.name == "sport-ray"]
