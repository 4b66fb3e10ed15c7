"""A property over signals that the environment does not give: found before a stage begins."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import gymnasium
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.stages.propositions import require_propositions
from sport_ray.experiments.study import Study

MODULE = """
import gymnasium
import numpy as np
from sport_ray.envs.labelled import Labelled

CALLS = []

class Plain(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    signals = {"obstacle": -1.0, "goal": False}

    def __init__(self):
        CALLS.append("made")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        CALLS.append("reset")
        if self.signals is None:
            return np.zeros(1, np.float32), {}
        return np.zeros(1, np.float32), {"signals": dict(self.signals)}

    def step(self, action):
        raise AssertionError("no step of it is taken")

class Mute(Plain):
    signals = None

class Declares(Plain):
    signal_names = ("obstacle", "goal")

def labelled():
    return Labelled(Mute(), {"obstacle": lambda o: o[0] > 2, "goal": lambda o: o[0] > 3})

def both():
    return Labelled(Plain(), {"fast": lambda o: o[0] > 2})

for name, entry in {"Plain": Plain, "Mute": Mute, "Declares": Declares, "Labelled": labelled,
                    "Both": both}.items():
    if f"t_prop/{name}-v0" not in gymnasium.registry:
        gymnasium.register(f"t_prop/{name}-v0", entry_point=f"t_prop:{entry.__name__}")
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A study with this environment and property; the module is the user's, not imported yet."""
    (tmp_path / "t_prop.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()

    def forget() -> None:
        sys.modules.pop("t_prop", None)
        for name in [one for one in gymnasium.registry if one.startswith("t_prop/")]:
            gymnasium.registry.pop(name)

    forget()
    yield lambda name, prop: {
        "name": "asked",
        "environment": {"id": f"t_prop:t_prop/{name}-v0"},
        "property": prop,
        "base_training": {},
        "base": "mine",
        "sweep": {"alphas": [1.0], "horizons": [20], "seeds": [0]},
        "certificate": {"max_horizon": 20},
    }
    forget()


def calls() -> list[str]:
    return list(sys.modules["t_prop"].CALLS)


@pytest.mark.parametrize(
    ("name", "prop", "done"),
    [
        ("Declares", "(!obstacle) U goal", []),
        ("Labelled", "(!obstacle) U goal", ["made"]),
        ("Plain", "(!obstacle) U goal", ["made", "reset"]),
        ("Both", "G !fast", ["made"]),
        ("Both", "G !fast & F goal", ["made", "reset"]),
    ],
)
def test_no_more_is_done_than_it_takes(asked, name, prop, done):
    study = parse_study(asked(name, prop), "study")
    assert "t_prop" not in sys.modules  # reading a study runs nothing that it names
    require_propositions(study)
    assert calls() == done


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Declares", "goal, obstacle"),
        ("Labelled", "goal, obstacle"),
        ("Plain", "goal, obstacle"),
        ("Both", "fast, goal, obstacle"),
    ],
)
def test_an_unknown_one_is_told_with_the_known_and_the_nearest(asked, name, known):
    with pytest.raises(UserError) as refused:
        require_propositions(parse_study(asked(name, "(!obstcle) U goal"), "study"))
    assert str(refused.value) == (
        "property '(!obstcle) U goal' needs the signal 'obstcle'; "
        f"t_prop:t_prop/{name}-v0 provides {known}: did you mean 'obstacle'?"
    )


def test_one_without_signals_is_told_what_they_are(asked):
    with pytest.raises(UserError, match=r"'t_prop:t_prop/Mute-v0'.*gives no info\[\"signals\"\]"):
        require_propositions(parse_study(asked("Mute", "F goal"), "study"))


@pytest.mark.parametrize("stage", ["train_base", "certify", "tune", "sweep", "run"])
def test_every_stage_begins_with_it(asked, stage, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sections = asked("Plain", "G !obstcle")
    if stage == "tune":
        sections["tuning"] = {"alpha": 1.1, "horizon": 20, "parameters": {"lr": [1e-3, 1e-4]}}
    study = Study.from_dict(sections)
    with pytest.raises(UserError, match=r"'obstcle'; .*did you mean 'obstacle'"):
        getattr(study, stage)()
    assert calls() == ["made", "reset"]
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("prop", "told"),
    [
        (
            "(!hazrd) U goal",
            "signal 'hazrd'; .* provides goal, hazard: did you mean 'hazard'",
        ),
        ("G !water", "signal 'water'; .* provides goal, hazard: write one of them"),
    ],
)
def test_of_what_is_known_it_is_told_when_the_study_is_read(asked, prop, told):
    robot = {**asked("Plain", prop), "environment": {}}
    with pytest.raises(UserError, match=f"^study: .*{told}"):
        parse_study(robot, "study")
    importlib.import_module("t_prop")
    with pytest.raises(UserError, match=r"^study: .*provides goal, obstacle"):
        parse_study(asked("Declares", prop), "study")
    assert calls() == []
