"""Help at 80 columns: every word of it is there, whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from sport_ray.experiments.cli.main import app

GROUP: Any = typer.main.get_command(app)
COMMANDS = {name: GROUP.get_command(None, name) for name in GROUP.commands}


def words(text: str) -> set[str]:
    """What stands between blanks, without the frames that are drawn."""
    return set(re.sub(r"[│╭╮╰╯─|<>{}]", " ", text).split())


def shown(*arguments: str) -> str:
    """The help that a terminal of 80 columns has."""
    environment = {"COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1"}
    done = CliRunner().invoke(app, [*arguments, "-h"], env=environment, prog_name="sport-ray")
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_commands_help_is_broken_or_cut(name: str) -> None:
    command, text = COMMANDS[name], shown(name)
    found = words(text)
    said = [re.sub(r"\[/?\w*\]", "", command.help or "")]
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        names = [] if parameter.param_type_name == "argument" else parameter.opts
        said += [getattr(parameter, "help", None) or "", parameter.metavar or "", *names]
    missing = {word for one in said for word in words(one)} - found
    assert missing == set()
    assert max(map(len, text.splitlines())) <= 80


def test_the_list_of_commands_says_what_each_does() -> None:
    text = shown()
    found = words(text)
    for name, command in COMMANDS.items():
        assert name in found
        assert words(command.get_short_help_str(500)) <= found, name
    assert max(map(len, text.splitlines())) <= 80
