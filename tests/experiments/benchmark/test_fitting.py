"""What is told of an environment that cannot be made here."""

from __future__ import annotations

import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.compose import bare_study
from sport_ray.experiments.benchmark.fitting import missing_extra
from sport_ray.experiments.benchmark.suite import ALL_BASES
from tests.experiments.benchmark.test_compose import suite, task


def why(env_id: str, extra: str | None) -> str | None:
    one = task(environment={"id": env_id}).model_copy(update={"extra": extra})
    return missing_extra(one, bare_study(suite(), one, ALL_BASES[0]))


@pytest.mark.parametrize("extra", ["mujoco", None])
@pytest.mark.parametrize("module", ["no_package_of_mine.tasks", "no_module_of_mine", "tests.none"])
def test_a_module_of_the_users_is_in_no_extra(module, extra):
    with pytest.raises(UserError) as error:
        why(f"{module}:space/Mine-v0", extra)
    told = str(error.value)
    assert "No module named" in told
    assert "pip install" not in told
    assert f"{module} must be importable from where bench is run" in told


def test_what_such_a_module_imports_in_turn_is_the_extras(tmp_path, monkeypatch):
    (tmp_path / "a_module_of_mine.py").write_text("import no_physics_here\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    told = why("a_module_of_mine:space/Mine-v0", "mujoco")
    assert "gymnasium[mujoco]==" in told.partition("(")[0]
    assert "No module named 'no_physics_here'" in told


def test_a_module_that_an_extra_has_is_the_extras(monkeypatch):
    asked = [
        'no-such-way>=1; extra == "benchmark-tasks"',
        'sport-ray[others]; extra == "benchmark-tasks"',
        'another[one]<2; extra == "others"',
        "numpy>=2",
        'tomli; python_version > "3"',
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda name: asked)
    told = why("no_such_way:way-v0", "benchmark-tasks")
    assert told.partition(" (")[0].endswith('install "no-such-way>=1" "another[one]<2"')
    monkeypatch.setattr("importlib.metadata.requires", lambda name: None)
    assert "extra box2d (docs/install.md)" in why("tests.experiments.calling:way-v0", "box2d")
    with pytest.raises(UserError, match="no_such_way must be importable"):
        why("no_such_way:way-v0", "mujoco")
