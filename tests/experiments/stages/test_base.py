"""A study whose base is a user's sampler: found, tried, kept, and refused once it changes."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.experiments.config.study import Study, load_study, parse_study
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.base import (
    BENCHMARK_BASES,
    BUNDLED,
    find_base,
    install_base,
    load_base,
    require_choosable,
)
from sport_ray.rollouts import base_behaviour
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import SamplerFile, read_base

MINE = """
import numpy as np
from t_helper import SPREAD

def draw(observation, count, generator, push=1.0):
    turn = generator.choice([-SPREAD, 0.0, SPREAD], count)
    return np.stack([np.full(count, push), turn], axis=1)

def own(observation, count, generator):
    return np.random.random((count, 2))

def narrow_alone(observation, count, generator):
    spread = 1.0 if count == 1 else 0.1
    return spread * generator.standard_normal((count, 2))

class FromFile:
    def __init__(self, path):
        self.table = np.loadtxt(path)

    def sample(self, observation, count, generator):
        return self.table[generator.integers(len(self.table), size=count)]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with the user's modules and data, on the path and current; writes a file in it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        importlib.invalidate_caches()
        for module in ("t_mine", "t_helper"):
            sys.modules.pop(module, None)  # another process would import them anew
        return tmp_path / name

    write("t_helper.py", "SPREAD = 0.5\n")
    write("t_mine.py", MINE)
    write("table.csv", "0.5 0.1\n0.4 -0.1\n")
    yield write
    for name in [one for one in sys.modules if one.startswith("t_")]:
        del sys.modules[name]


@pytest.fixture
def study(small_study):
    def make(base: str = "t_mine:draw", **more) -> Study:
        return Study.model_validate({**small_study, "base": base, **more})

    return make


def test_it_is_kept_with_the_code_that_it_runs(mine, study, tmp_path):
    asked = study(base_arguments={"push": 0.5})
    folder = StudyFolder(tmp_path / "results", asked)
    base = install_base(folder, None, asked.base)
    kept = read_base(folder.base)
    assert isinstance(base, SamplerFile)
    assert kept == base
    assert sorted(kept.spec.code) == ["t_helper", "t_mine"]
    assert (kept.spec.observation_size, kept.spec.action_size) == (44, 2)
    assert kept.spec.arguments == {"push": 0.5}
    assert "numpy" in kept.provenance["versions"]
    assert install_base(folder, None, asked.base) == base  # again


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("t_mine.py", MINE + "\n# more\n", "before t_mine changed"),
        ("t_helper.py", "SPREAD = 0.6\n", "before t_helper changed"),
    ],
)
def test_a_folder_made_with_other_code_is_refused(mine, study, tmp_path, file, text, line):
    folder = StudyFolder(tmp_path / "results", study())
    install_base(folder, None, "t_mine:draw")
    mine(file, text)
    with pytest.raises(UserError) as caught:
        install_base(folder, None, "t_mine:draw")
    told = str(caught.value)
    assert f"was made with another base policy, {line}: choose another folder" in told
    assert "\n" not in told


@pytest.mark.parametrize("name", ["t_mine", "t_helper"])
def test_a_process_that_imported_the_code_before_an_edit_is_refused(mine, study, tmp_path, name):
    """A notebook: the new file would be certified by what the old one draws."""
    before = install_base(StudyFolder(tmp_path / "one", study()), None, "t_mine:draw")
    with (tmp_path / f"{name}.py").open("a") as file:
        file.write("# edited, and not imported again\n")
    with pytest.raises(UserError, match=f"has imported another '{name}' than is on record"):
        install_base(StudyFolder(tmp_path / "two", study()), None, "t_mine:draw")
    assert not (tmp_path / "two").exists()
    for module in ("t_mine", "t_helper"):  # Python anew
        sys.modules.pop(module)
    after = install_base(StudyFolder(tmp_path / "two", study()), None, "t_mine:draw")
    assert after.digest != before.digest


def test_a_data_file_that_the_arguments_name_is_part_of_it(mine, study, tmp_path):
    asked = study("t_mine:FromFile", base_arguments={"path": "table.csv"})
    folder = StudyFolder(tmp_path / "results", asked)
    base = install_base(folder, None, asked.base)
    assert ":table.csv" in base.spec.code
    mine("table.csv", "0.5 0.2\n0.4 -0.1\n")
    with pytest.raises(UserError, match=r"before :table\.csv changed"):
        install_base(folder, None, asked.base)
    with pytest.raises(UserError, match=r":table.csv .* has changed; restore it"):
        base.require_unchanged()


def test_other_arguments_and_another_name_are_told(mine, study, tmp_path):
    folder = StudyFolder(tmp_path / "results", study())
    install_base(folder, None, "t_mine:draw")
    other = StudyFolder(tmp_path / "results", study(base_arguments={"push": 0.5}))
    with pytest.raises(UserError, match=r"another base policy, with base_arguments \{\}: choose"):
        install_base(other, None, "t_mine:draw")
    mine("t_other.py", MINE)
    with pytest.raises(UserError, match="another base policy, t_mine:draw: choose"):
        install_base(folder, None, "t_other:draw")
    with pytest.raises(UserError, match="was made with another base policy: choose"):
        install_base(folder, None, "point_reach_avoid")


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("t_nowhere:draw", "there is no module 't_nowhere' on Python's path"),
        ("t_mine:darw", "did you mean 'draw'?"),
        ("t_mine:own", "does not repeat itself"),
        ("t_mine:FromFile", "cannot be made with no base_arguments"),
    ],
)
def test_a_mistake_leaves_no_folder(mine, study, tmp_path, base, line):
    folder = StudyFolder(tmp_path / "results", study(base))
    with pytest.raises(UserError) as caught:
        install_base(folder, None, base)
    assert line in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_missing_data_file_is_told(mine, study):
    asked = study("t_mine:FromFile", base_arguments={"path": "tabel.csv"})
    with pytest.raises(UserError, match=r"\{'path': 'tabel.csv'\}: FileNotFoundError"):
        load_base(asked, asked.base, None)


def test_arguments_are_for_samplers(study, small_study):
    with pytest.raises(ValueError, match="base = 'point_reach_avoid' takes none: remove them"):
        study("point_reach_avoid", base_arguments={"push": 1.0})
    with pytest.raises(UserError, match="study: base_arguments = 3: expected a mapping"):
        parse_study({**small_study, "base": "m:f", "base_arguments": 3}, "study")
    asked = study(base_arguments={"horizon": 3})  # what an environment may not be given
    assert asked.base_arguments == {"horizon": 3}


def test_a_candidate_to_choose_from_has_no_arguments(mine, study, small_study):
    sweep = {key: value for key, value in small_study["sweep"].items() if key != "horizons"}
    choose = {"eps_max": 0.5, "bases": ["t_mine:draw", "t_mine:FromFile"]}
    certificate = {**small_study["certificate"], "choose": choose}
    asked = study("point_reach_avoid", certificate=certificate, sweep=sweep)
    assert load_base(asked, "t_mine:draw", None).spec.arguments == {}


def test_candidates_of_another_law_are_refused_before_the_sweep(mine, study):
    fair = study(task_policies={"task_density": {"candidates": 16}})
    require_choosable(fair, load_base(fair, "t_mine:draw", None))
    other = study("t_mine:narrow_alone", task_policies={"task_density": {"candidates": 16}})
    base = load_base(other, "t_mine:narrow_alone", None)
    with pytest.raises(UserError, match="'t_mine:narrow_alone' draws 16 actions otherwise"):
        require_choosable(other, base)
    require_choosable(study("t_mine:narrow_alone"), base)  # nothing is chosen there
    gaussian = load_base(fair, "point_reach_avoid", None)
    require_choosable(fair, gaussian)


def test_the_study_file_says_it(mine, small_study, write_study):
    path = write_study({**small_study, "base": "t_mine:draw", "base_arguments": {"push": 0.5}})
    found = load_study(path)
    drawn = load_base(found, found.base, path)
    assert drawn.spec.arguments == {"push": 0.5}
    assert np.isclose(drawn.spec.arguments["push"], 0.5)


def test_actions_out_of_range_are_the_environments_affair(mine, study):
    """They reach it as they are: the robot clips them, another environment may do otherwise."""
    seen = []
    for push in (1.0, 100.0):
        asked = study(base_arguments={"push": push})
        behaviour = base_behaviour(load_base(asked, asked.base, None), run_module=True)
        plan = asked.task(30, 0).plan("certify", 0)
        kept, outcomes = collect_transitions(plan, behaviour, 0, 5)
        assert (kept.action[:, 0] == push).all()
        seen.append(outcomes.robustness)
    np.testing.assert_array_equal(*seen)


def test_a_folder_beside_the_study_may_be_called_benchmark(tmp_path):
    """What the benchmark has goes first; its results, which may lie there, are no bases."""
    shipped = next(BENCHMARK_BASES.glob("*/*/policy.json")).parent
    theirs = f"benchmark/{shipped.relative_to(BENCHMARK_BASES).as_posix()}"
    own = tmp_path / "benchmark/mine"
    shutil.copytree(BUNDLED / "point_reach_avoid", own)
    shutil.copytree(own, tmp_path / theirs)
    (tmp_path / "benchmark/results/base").mkdir(parents=True)
    study = tmp_path / "study.yaml"
    assert find_base("benchmark/mine", study) == own
    assert find_base(theirs, study) == shipped
    assert find_base("benchmark/results", study) is None
    assert find_base("benchmark/none", study) is None
