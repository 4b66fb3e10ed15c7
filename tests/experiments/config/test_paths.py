"""~ and variables at the beginning of a path, wherever a path is given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app
from sport_ray.experiments.config.paths import expanded_argument, expanded_uri, user_path
from sport_ray.experiments.config.study import load_study
from sport_ray.experiments.stages.base import BUNDLED, find_base
from sport_ray.experiments.study import Study as Notebook

STUDY = "name: s\nbase: {}\nsweep: {{alphas: [1], horizons: [5]}}\n{}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("POLICIES", str(tmp_path / "policies"))
    monkeypatch.delenv("NOTHING", raising=False)
    shutil.copytree(BUNDLED / "point_reach_avoid", tmp_path / "policies" / "mine")
    return tmp_path


@pytest.mark.parametrize("text", ["~/policies/mine", "$HOME/policies/mine", "${POLICIES}/mine"])
def test_a_base_and_an_imported_policy_are_found(text, home):
    assert find_base(text, home / "elsewhere" / "study.yaml") == home / "policies" / "mine"
    path = home / "s.yaml"
    path.write_text(STUDY.format(text, f"task_policies: {{imported: {{path: '{text}'}}}}"))
    settings = load_study(path).task_policies["imported"]
    assert settings.path == str(home / "policies" / "mine")


def test_what_is_not_there_is_told_with_its_name(home):
    for text, reason in (
        ("~nobody9/x", "no such home folder"),
        ("$NOTHING/x", "no such environment variable"),
        ("${NOTHING}/x", "no such environment variable"),
    ):
        for use in (user_path, expanded_argument, lambda text: find_base(text, None)):
            with pytest.raises(UserError, match=reason) as caught:
                use(text)
            assert repr(text) in str(caught.value)
    with pytest.raises(UserError, match=r"base policy .* cannot be looked at"):
        find_base("x" * 5000, None)


@pytest.mark.parametrize(
    ("uri", "after"),
    [
        ("~/runs", "{home}/runs"),
        ("$HOME/runs", "{home}/runs"),
        ("file:~/runs", "file://{home}/runs"),
        ("file:///~/runs", "file://{home}/runs"),
        ("sqlite:///~/m.db", "sqlite:///{home}/m.db"),
        ("sqlite:////~/m.db", "sqlite:////~/m.db"),
        ("sqlite:////abs/m.db", "sqlite:////abs/m.db"),
        ("http://me:$HOME@host/~x", "http://me:$HOME@host/~x"),
        ("databricks", "databricks"),
    ],
)
def test_a_tracking_uri_s_own_path(uri, after, home):
    assert expanded_uri(uri) == after.format(home=home)
    path = home / "s.yaml"
    path.write_text(STUDY.format("point_reach_avoid", f"tracking: {{uri: '{uri}'}}"))
    assert load_study(path).tracking.uri == after.format(home=home)


def test_the_command_line_takes_them_in_both_forms(home):
    (home / "s.yaml").write_text(STUDY.format("point_reach_avoid", ""))
    for words in (["~/s.yaml", "--results=~/nothing"], ["$HOME/s.yaml", "--results", "~/nothing"]):
        with pytest.raises(UserError, match=f"no result folder {home}/nothing"):
            CliRunner().invoke(app, ["status", *words], catch_exceptions=False)


def test_what_is_no_path_is_as_it_was():
    for word in ("--seed=3", "-x", "a~b", "--name=a$b", "x=~/y", "", "--", "a/$HOME"):
        assert expanded_argument(word) == word


def test_notebooks_take_them(home):
    (home / "s.yaml").write_text(STUDY.format("point_reach_avoid", ""))
    study = Notebook.load("~/s.yaml", "~/out")
    assert study.results_dir == home / "out"
