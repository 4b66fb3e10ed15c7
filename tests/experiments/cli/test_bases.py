"""The command base: of the study's base, and of another; a mistake is one line."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from sport_ray.errors import UserError
from sport_ray.experiments.cli.main import app


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr("sport_ray.experiments.stages.base_statistics.SCENARIOS", 100)


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["base", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_it_says_what_a_user_must_know_and_writes_nothing(small_study, write_study, monkeypatch):
    path = write_study(small_study)
    monkeypatch.chdir(path.parent)
    said = call(path)
    assert said.startswith("base point_reach_avoid, ")
    assert "in 100 fresh scenarios it violates: " in said
    assert "drawn actions beyond ±0.99 of their bounds: " in said
    assert "warning" not in said
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_another_base_is_asked_about_by_name(small_study, write_study):
    said = call(write_study(small_study), "--base", "paper_bang_bang", "--base", "authors")
    assert said.index("base paper_bang_bang, ") < said.index("base authors, ")
    assert said.count("nearly bang-bang") == 1


def test_a_base_that_is_not_there_is_told(small_study, write_study):
    with pytest.raises(UserError, match="base policy 'nowhere' does not exist"):
        call(write_study(small_study), "--base", "nowhere")
