"""Task and method files: what ships is whole, and each mistake is one line."""

from __future__ import annotations

import pytest
import yaml

from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.files import read
from sport_ray.experiments.benchmark.method import MethodFile
from sport_ray.experiments.benchmark.suite import Suite
from sport_ray.experiments.benchmark.task import TaskFile
from tests.experiments.calling import called

TASK = {
    "name": "one",
    "title": "One",
    "why": "A test.",
    "study": {
        "environment": {"id": "sport_ray/PointReachAvoid-v0"},
        "property": "(!hazard) U goal",
        "horizon": 20,
        "certificate": {"num_scenarios": 100},
        "evaluation": {"num_scenarios": 100},
    },
    "levels": {"smooth": {}, "middle": {}, "sharp": {}},
}
METHOD = {"name": "one", "title": "One", "why": "A test.", "promise": "prior", "source": "critic"}


def mistake(tmp_path, kind, content, name="one") -> str:
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError) as error:
        read(file, kind)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_mistakes_in_a_task_are_told_with_the_remedy(tmp_path):
    study = TASK["study"]
    told = mistake(tmp_path, TaskFile, TASK | {"study": study | {"sweep": {}}})
    assert "study has the key 'sweep', which is not a task's to say" in told
    without = {key: value for key, value in study.items() if key != "horizon"}
    assert "study.horizon is missing" in mistake(tmp_path, TaskFile, TASK | {"study": without})
    told = mistake(tmp_path, TaskFile, TASK | {"levels": {"smooth": {}, "sharp": {}, "midle": {}}})
    assert "levels.middle is missing" in told
    assert "did you mean 'middle'" in told
    assert "rename one" in mistake(tmp_path, TaskFile, TASK, name="two")


def test_mistakes_in_a_method_are_told_with_the_remedy(tmp_path):
    told = mistake(tmp_path, MethodFile, METHOD | {"source": "critik"})
    assert "'critik', which is unknown; did you mean 'critic'?" in told
    told = mistake(tmp_path, MethodFile, METHOD | {"constraint": "pathwize"})
    assert "constraint: 'pathwize' is unknown; did you mean 'pathwise'" in told
    assert "candidates" in mistake(tmp_path, MethodFile, METHOD | {"settings": {"candidate": 3}})
    assert "has limits" in mistake(tmp_path, MethodFile, METHOD | {"kind": "list"})
    assert "no source" in mistake(tmp_path, MethodFile, METHOD | {"kind": "mixture"})


def test_names_and_bases_of_a_suite():
    few = Suite.of(methods_named=["fixed_alpha"], bases_named=["sharp", "smooth_1"])
    assert [str(base) for base in few.bases] == ["smooth_1", "sharp_0", "sharp_1", "sharp_2"]
    assert [one.name for one in few.methods] == ["fixed_alpha"]
    tiny = Suite.of(tiny=True)
    assert {"fixed_alpha", "unconstrained"} <= {one.name for one in tiny.methods}
    assert len(tiny.bases) == 1
    assert len(tiny.methods) < len(Suite.of().methods)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--tasks", "point_fixd"], "--tasks: no task 'point_fixd'; did you mean 'point_fixed'?"),
        (["--methods", "fixed"], "--methods: no method 'fixed'"),
        (["--tasks", ""], "sport-ray: --tasks names nothing: give names, a,b, or leave it out"),
        (["--methods", " ,"], "--methods names nothing"),
        (["--bases", ""], "--bases names nothing"),
        (["--bases", "smoth_0"], "--bases: no base 'smoth_0'; did you mean 'smooth_0'?"),
    ],
)
def test_a_name_of_nothing_is_one_line_and_nothing_runs(tmp_path, given, told):
    result = called("bench", *given, cwd=tmp_path)
    assert result.returncode == 2
    assert told in result.stderr
    assert not list(tmp_path.iterdir())
