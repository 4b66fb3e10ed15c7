"""Every module that an environment is made of is named, however it is imported; no more is run."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path

import gymnasium
import pytest

from sport_ray.errors import UserError
from sport_ray.sources import (
    changed_sources,
    entry_modules,
    environment_sources,
    file_digest,
    module_file,
    owner,
    source_file,
)

ENV = """
    import gymnasium
    {imports}
    class Env(gymnasium.Env):
        def step(self, action):
            {inside}
    gymnasium.register("{id}", entry_point="{module}:Env")
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A user's project on the path; writes its modules, and forgets them afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**files: str) -> Path:
        for name, text in files.items():
            package = name.removesuffix("____init__")
            path = tmp_path / Path(*package.split("__"))
            path = path / "__init__.py" if package != name else path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]
    for env_id in [one for one in gymnasium.registry if one.startswith("src_test/")]:
        del gymnasium.registry[env_id]


def env(imports="pass", inside="pass", id="src_test/E-v0", module="t_env"):
    return ENV.format(imports=imports, inside=inside, id=id, module=module)


@pytest.mark.parametrize(
    ("imports", "inside"),
    [
        ("from t_consts import WIND", "pass"),
        ("import t_consts", "pass"),
        ("pass", "import t_consts"),
        ("pass", "from t_consts import WIND as w"),
        ("from t_between import x", "pass"),
        ("import importlib; c = importlib.import_module('t_consts')", "pass"),
        ("import importlib; w = importlib.import_module('t_' + 'consts').helper", "pass"),
        ("from t_consts import *", "pass"),
    ],
)
def test_a_constant_in_another_module(imports, inside, project):
    """drone2's kind: the file of the entry point stays the same and the world is another."""
    consts = "WIND = 0.15\ndef helper(): return 1\n"
    root = project(
        t_env=env(imports, inside), t_consts=consts, t_between="from t_consts import WIND as x"
    )
    found = environment_sources("t_env:src_test/E-v0")
    assert {"t_env", "t_consts", "sport_ray"} <= set(found.code)
    assert changed_sources(found.code) == {}
    (root / "t_consts.py").write_text("WIND = 0.6\ndef helper(): return 1\n")
    assert list(changed_sources(found.code)) == ["t_consts"]
    assert str(root / "t_consts.py") in changed_sources(found.code)["t_consts"]
    (root / "t_consts.py").unlink()
    assert changed_sources(found.code) == {"t_consts": "t_consts is not here"}


def test_packages_relative_imports_and_their_parents(project):
    project(
        t_pkg____init__="from t_pkg.sub import setup",
        t_pkg__sub____init__="from .. import deep",
        t_pkg__sub__setup="from ..deep import value",
        t_pkg__deep="value = 1",
        t_pkg__world=env("from . import far; from .sub.setup import value", module="t_pkg.world"),
        t_pkg__far="import os, json",
        t_pkg__unused="value = 2",
    )
    code = environment_sources("t_pkg.world:src_test/E-v0").code
    wanted = {"t_pkg", "t_pkg.sub", "t_pkg.sub.setup", "t_pkg.deep", "t_pkg.world", "t_pkg.far"}
    assert set(code) == wanted | {"sport_ray"}  # not what nothing imports, nor Python's own


def test_namespace_packages_have_files_below_them(project):
    project(t_space__inner__law="GAIN = 1", t_env=env("import t_space.inner.law"))
    assert "t_space.inner.law" in environment_sources("t_env:src_test/E-v0").code


def test_bases_wrappers_and_arguments_count(project):
    project(
        t_base="import gymnasium\nclass Base(gymnasium.Env): pass\n",
        t_wrap="import gymnasium\nclass Wrap(gymnasium.Wrapper): pass\n",
        t_dyn="GAIN = 2",
        t_env="""
            import gymnasium, t_base
            from gymnasium.envs.registration import WrapperSpec
            Env = type("Env", (t_base.Base,), {})
            gymnasium.register(
                "src_test/E-v0", entry_point="t_env:Env",
                additional_wrappers=(WrapperSpec("w", "t_wrap:Wrap", {}),),
            )
        """,
    )
    code = environment_sources("t_env:src_test/E-v0", {"dynamics": {"name": "t_dyn:law"}}).code
    assert {"t_env", "t_base", "t_wrap", "t_dyn"} <= set(code)


def test_data_beside_a_module_that_it_names(project):
    root = project(t_env=env("MODEL = 'robot.xml'; MISSING = 'other.xml'"))
    (root / "robot.xml").write_text("<a/>")
    code = environment_sources("t_env:src_test/E-v0").code
    assert "t_env:robot.xml" in code
    assert not [name for name in code if "other" in name]
    assert source_file("t_env:robot.xml") == root / "robot.xml"
    (root / "robot.xml").write_text("<b/>")
    assert list(changed_sources(code)) == ["t_env:robot.xml"]


def test_distributions_are_named_with_their_version(project):
    project(t_env=env("import yaml", "import pandas"))
    found = environment_sources("t_env:src_test/E-v0")
    assert {"pyyaml", "pandas", "numpy", "gymnasium"} <= set(found.distributions)
    assert not [name for name in found.code if name.startswith(("yaml", "pandas", "gymnasium"))]
    assert all(version[0].isdigit() for version in found.distributions.values())


def test_a_distribution_s_own_environment():
    found = environment_sources("Pendulum-v1")
    assert set(found.code) == {"sport_ray"}
    assert "gymnasium" in found.distributions
    assert entry_modules("Pendulum-v1") == []


def test_ours_is_one_digest_and_an_example_of_ours_its_file():
    assert set(environment_sources("sport_ray/PointReachAvoid-v0").code) == {"sport_ray"}


def test_the_entry_must_be_named(project):
    project(t_env=env())
    assert entry_modules("t_env:src_test/E-v0") == ["t_env"]
    with pytest.raises(UserError, match="'t_nowhere:x-v0' is not known"):
        environment_sources("t_nowhere:x-v0")


def test_looking_up_a_file_runs_nothing(project):
    """Also not the package that a module is in: the name may be a stranger's."""
    root = project(
        t_trap____init__="raise SystemExit('ran')", t_trap__inner="raise SystemExit('ran')"
    )
    assert module_file("t_trap.inner") == root / "t_trap" / "inner.py"
    digest = file_digest(root / "t_trap" / "inner.py")
    assert changed_sources({"t_trap.inner": str(digest), "sport_ray": "?"}) == {}
    assert "t_trap" not in sys.modules
    assert set(changed_sources({"../x": "", "a b": "", "": "", "t_trap.none.x": ""})) == {
        "../x", "a b", "", "t_trap.none.x",
    }  # fmt: skip


def test_nothing_endless_is_read(tmp_path):
    assert file_digest(Path("/dev/zero")) is None
    assert file_digest(tmp_path) is None
    assert changed_sources({":/dev/zero": "0"}) == {":/dev/zero": ":/dev/zero is not here"}


def test_owners():
    for name, whose in (("json", "python"), ("numpy", "numpy"), ("yaml", "pyyaml")):
        file = module_file(name)
        assert file is not None
        assert owner(name, file) == whose
    assert owner("t_loose", Path("/x/lib/python3.11/site-packages/t_loose.py")) is None
    assert owner("sport_ray.envs", Path("/anywhere/sport_ray/envs/__init__.py")) == "sport_ray"


def test_a_file_of_strange_syntax_is_digested_all_the_same(project):
    project(t_env=env("import t_odd"), t_odd="x = 1")
    code = environment_sources("t_env:src_test/E-v0").code
    assert "t_odd" in code


def test_what_is_recorded_does_not_depend_on_what_a_process_has_loaded():
    """A certificate's digest is in every cell's id: placement and history must not change it."""
    script = (
        "from sport_ray.sources import environment_sources\n"
        "print(environment_sources('sport_ray/PointReachAvoid-v0').distributions)"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", before + script], capture_output=True, text=True, check=True
        ).stdout
        for before in ("", "import aiohttp, mlflow, pytest, ray\n")
    )
    assert first == second != ""


def test_the_program_that_runs_a_module_is_no_part_of_it(project):
    """Most scripts end so; the certificate would name whatever program made it."""
    project(t_env=env(inside="pass") + "    if __name__ == '__main__':\n        print()\n")
    assert "__main__" not in environment_sources("t_env:src_test/E-v0").code
