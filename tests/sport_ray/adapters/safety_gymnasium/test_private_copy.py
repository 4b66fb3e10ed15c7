"""What is loaded for us changes nothing for others, and what others loaded nothing for us."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from sport_ray.adapters.safety_gymnasium import private_copy
from sport_ray.errors import UserError


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.usefixtures("installed")
def test_the_process_is_left_as_it_was():
    run("""
        import dataclasses, sys
        import gymnasium, mujoco, imageio
        import sport_ray.adapters.safety_gymnasium  # registers ours
        ids, made = set(gymnasium.registry), dataclasses.dataclass
        from sport_ray.adapters.safety_gymnasium.private_copy import builder_class
        first = builder_class()
        assert builder_class() is first
        assert not [name for name in sys.modules if name.startswith("safety_gymnasium")]
        assert set(gymnasium.registry) == ids
        assert dataclasses.dataclass is made
        import yaml
        assert yaml.load("a: 1", Loader=yaml.FullLoader) == {"a": 1}
    """)


@pytest.mark.usefixtures("installed")
def test_what_others_imported_stays_theirs():
    run("""
        import importlib.util, sys
        spec = importlib.util.find_spec("safety_gymnasium")
        theirs = importlib.util.module_from_spec(spec)  # as if somebody's own shim had imported it
        sys.modules["safety_gymnasium"] = theirs
        from safety_gymnasium.assets import color
        before = dict(sys.modules)
        from sport_ray.adapters.safety_gymnasium.environment import SafetyEnv
        SafetyEnv("SafetyPointGoal1-v0").reset(seed=0)
        names = [name for name in sys.modules if name.startswith("safety_gymnasium")]
        assert sorted(names) == [
            "safety_gymnasium", "safety_gymnasium.assets", "safety_gymnasium.assets.color"
        ], names
        assert all(sys.modules[name] is before[name] for name in names)
        assert type(color.COLOR["hazard"]).__name__ == "ndarray"
        import safety_gymnasium
        assert safety_gymnasium is theirs
    """)


@pytest.mark.usefixtures("installed")
def test_a_package_that_is_missing_is_named_and_nothing_is_left_behind():
    said = run("""
        import sys
        sys.modules["xmltodict"] = None
        from sport_ray.adapters.safety_gymnasium.private_copy import builder_class
        from sport_ray.errors import UserError
        try:
            builder_class()
        except UserError as error:
            print(error)
        assert not [name for name in sys.modules if name.startswith("safety_gymnasium")]
        del sys.modules["xmltodict"]
        builder_class()  # it is there now
    """)
    assert "xmltodict" in said
    assert "\n" not in said


@pytest.mark.parametrize(("found", "state"), [(None, "not installed"), ("1.2.0", "as 1.2.0")])
def test_another_version_is_refused_with_the_command(monkeypatch, found, state):
    def version(name):
        if found is None:
            raise private_copy.metadata.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(private_copy.metadata, "version", version)
    with pytest.raises(UserError, match=f"{state}.*pip install --no-deps safety-gymnasium==1.0.0"):
        private_copy._load.__wrapped__()
