"""Studies that ship are found by name, wherever one is."""

from __future__ import annotations

import pytest

from sport_ray import Study, UserError
from sport_ray.experiments.config.shipped import STUDIES, study_file


@pytest.mark.parametrize("given", ["quickstart", "quickstart.yaml"])
def test_a_name_is_enough_in_any_folder(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert study_file(given) == STUDIES / "quickstart.yaml"
    assert Study.load(given).results_dir == tmp_path / "results" / "quickstart"


def test_what_is_there_comes_first(tmp_path, monkeypatch, small_study, write_study):
    monkeypatch.chdir(tmp_path)
    write_study(small_study).rename(tmp_path / "quickstart.yaml")
    assert Study.load("quickstart.yaml").results_dir.name == "small"


def test_a_wrong_folder_is_told_with_the_name(tmp_path):
    with pytest.raises(UserError, match="a study 'paper' ships: give its name"):
        study_file(tmp_path / "experiments" / "paper.yaml")
    assert study_file(tmp_path / "mine.yaml") == tmp_path / "mine.yaml"


def test_a_name_of_none_is_told_with_those_that_ship(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no study 'quickstrat': .* ships: .*, quickstart, "):
        study_file("quickstrat")
    assert study_file("mine.yaml").name == "mine.yaml"  # meant as a file
