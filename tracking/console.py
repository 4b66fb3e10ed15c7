"""Printing what files hold: on a terminal it is text, and commands nothing."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sport_ray.text import plain


class PlainConsole(Console):
    """A console to which every string, also in tables, is text: no markup, no control characters.

    Styles are given beside a string (``style=``) or by ``rich.text.Text``.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich, of what can be seen of the text."""
        return super().render_str(plain_lines(text), **options)


class NotebookConsole(PlainConsole):
    """A console whose lines are a cell's plain output, and whose progress is one line of it.

    Not rich's own output there: its bars need ipywidgets, which a saved notebook does not hold.
    """

    def __init__(self, **options: Any) -> None:
        about = {"force_jupyter": False, "force_terminal": False, "color_system": None}
        super().__init__(**{**about, **options})


def say(console: Console, text: str, style: str = "") -> None:
    """One line of text on any console, neither cut nor broken."""
    console.print(Text(plain(text), style=style), soft_wrap=True)


def shown(text: object, style: str = "") -> Text:
    """Text for a cell of a table on any console, in as many lines as it has."""
    return Text(plain_lines(str(text)), style=style)


def narrow_table(title: str = "", *names: str) -> Table:
    """A table as all commands print them: a rule below its head, a space beside each column.

    names: columns of text that are never broken, as what is typed.
    """
    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1), caption_justify="left",
    )  # fmt: skip
    for name in names:
        table.add_column(name, no_wrap=True)
    return table


def add_columns(table: Table, name: str, *numbers: str) -> None:
    """A column of names, and at its right columns of numbers."""
    table.add_column(name)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)


def plain_lines(text: str) -> str:
    """`plain`, line by line."""
    return "\n".join(plain(line) for line in text.split("\n"))
