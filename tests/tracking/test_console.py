"""What others wrote is shown on a terminal, and commands nothing there."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from sport_ray.tracking.console import PlainConsole, add_columns, narrow_table, say, shown

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


def test_all_commands_print_tables_in_one_style() -> None:
    """A rich table is made in one place; what `print` shows of an object has no lines at all."""
    root = Path(__file__).parents[2]
    makers = [
        str(file.relative_to(root))
        for folder in ("experiments", "tracking", "sport_ray")
        for file in sorted((root / folder).rglob("*.py"))
        if not {"experiments", "tracking"} & set(file.relative_to(root).parts[1:2])
        and re.search(r"^\s.*\bTable\(", text := file.read_text(encoding="utf-8"), re.MULTILINE)
        and "rich.table import Table" in text
    ]
    assert makers == ["tracking/console.py"]


def test_a_table_fits_80_columns_and_breaks_no_number() -> None:
    table = narrow_table("Title", "what is typed")
    add_columns(table, "a long explanation", "value")
    table.add_row("selection_trained_constant", "words that are many and wrap " * 4, "0.123456789")
    text = printed_narrow(table)
    assert max(map(len, text.splitlines())) <= 80
    assert {"selection_trained_constant", "0.123456789", "explanation"} <= set(text.split())


def printed_narrow(table: Table) -> str:
    target = io.StringIO()
    PlainConsole(file=target, width=80).print(table)
    return target.getvalue()
