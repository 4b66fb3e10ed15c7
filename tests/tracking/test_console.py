"""What others wrote is shown on a terminal, and commands nothing there."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console
from rich.table import Table

from sport_ray.tracking.console import PlainConsole, say, shown

EVIL = "\x1b[2J\x1b]0;title\x07[bold red]passed[/] \u202eevil\u200b \x9b31m :smile:"
SEEN = "[2J]0;title[bold red]passed[/] evil 31m :smile:"


def printed(show: Callable[[Console], None], console: Callable[..., Console]) -> str:
    target = io.StringIO()
    show(console(file=target, width=200, force_terminal=True, color_system=None))
    return target.getvalue()


def in_a_table(console: Console) -> None:
    table = Table(title=EVIL, caption=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    console.print(table)


@pytest.mark.parametrize(
    "show",
    [lambda console: console.print(EVIL), lambda console: console.print(EVIL, style="bold")],
)
def test_strings_on_a_plain_console(show: Callable[[Console], None]) -> None:
    assert SEEN in printed(show, PlainConsole)


def test_tables_on_a_plain_console() -> None:
    text = printed(in_a_table, PlainConsole)
    assert text.count(SEEN) == 4
    assert not set(text) & {"\x1b", "\x07", "\u202e", "\x9b", "\u200b"}


def test_on_any_console() -> None:
    assert printed(lambda console: say(console, EVIL + "\nmore"), Console) == SEEN + " more\n"
    table = Table.grid()
    table.add_row(shown(EVIL + "\nsecond"))
    text = printed(lambda console: console.print(table), Console)
    assert SEEN in text
    assert "second" in text.splitlines()[1]
