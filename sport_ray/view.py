"""What an object shows of itself, as text and as HTML: the same facts, from one description."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from html import escape
from typing import NamedTuple

from sport_ray.text import plain

WIDTH = 100
_TABLE = "border-collapse:collapse;margin:.4em 0"
_RULE = "border-bottom:1px solid rgba(128,128,128,.35)"
_CELL = f"padding:.15em .8em .15em 0;text-align:right;white-space:nowrap;{_RULE}"
_NAME = "padding:.15em .8em .15em 0;text-align:left;vertical-align:top;white-space:nowrap"
_TEXT = "padding:.15em .8em .15em 0;text-align:left;vertical-align:top;overflow-wrap:anywhere"
_SMALL = "margin:.4em 0;font-size:92%"
_WARNING = "border-left:4px solid #c0392b;padding-left:.6em"


class Table(NamedTuple):
    """Rows of texts under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class View:
    """A title, sentences, a table, facts by name, and what a claim rests on.

    In a notebook it shows itself as HTML without script, style sheet or any other resource; all
    that it holds is escaped. ``print`` has the same as text.

    warning: what comes first, where something does not hold.
    """

    title: str
    sentences: tuple[str, ...] = ()
    table: Table | None = None
    facts: tuple[tuple[str, str], ...] = ()
    assumptions: tuple[str, ...] = ()
    warning: str = ""

    def text(self) -> str:
        """In plain lines, as a terminal shows it."""
        lines = [plain(self.title), *([f"! {plain(self.warning)}"] if self.warning else [])]
        lines += [plain(one) for one in self.sentences]
        if self.table is not None:
            lines += _columns([self.table.head, *self.table.rows])
        if self.facts:
            widest = max(len(plain(name)) for name, _ in self.facts)
            lines += [f"  {plain(name):<{widest}}  {plain(value)}" for name, value in self.facts]
        if self.assumptions:
            lines += ["It rests on:", *(f"  - {plain(one)}" for one in self.assumptions)]
        return "\n".join(lines)

    __str__ = text

    def html(self) -> str:
        """As a fragment of HTML that needs nothing beside it."""
        parts = [f"<strong>{_html(self.title)}</strong>"]
        if self.warning:
            parts.append(
                f'<p role="alert" style="{_WARNING}"><strong>{_html(self.warning)}</strong></p>'
            )
        parts += [f'<p style="margin:.4em 0">{_html(one)}</p>' for one in self.sentences]
        if self.table is not None:
            parts.append(_html_table(self.table))
        if self.facts:
            rows = "".join(
                f'<tr><th scope="row" style="{_NAME}">{_html(name)}</th>'
                f'<td style="{_TEXT}">{_html(value)}</td></tr>'
                for name, value in self.facts
            )
            parts.append(f'<table style="{_TABLE};font-size:92%"><tbody>{rows}</tbody></table>')
        if self.assumptions:
            items = "".join(f"<li>{_html(one)}</li>" for one in self.assumptions)
            parts.append(
                f'<div style="{_SMALL}">It rests on:<ul style="margin:.2em 0">{items}</ul></div>'
            )
        return f'<div class="sport-ray-view" style="max-width:60em">{"".join(parts)}</div>'

    def _repr_html_(self) -> str:
        return self.html()


def at_most(value: float, digits: int = 4) -> str:
    """A bound in so many digits, rounded up, so that what is shown still bounds.

    >>> at_most(0.0200771), at_most(0.05), at_most(1.0)
    ('0.02008', '0.05', '1')
    """
    return _rounded(value, digits, ROUND_CEILING)


def at_least(value: float, digits: int = 4) -> str:
    """The same, rounded down."""
    return _rounded(value, digits, ROUND_FLOOR)


def _rounded(value: float, digits: int, way: str) -> str:
    shortest = Decimal(repr(float(value)))  # the float of 0.05 is a little more, and no 0.05001
    return f"{float(Context(prec=digits, rounding=way).create_decimal(shortest)):.{digits}g}"


def _html(text: str) -> str:
    return escape(plain(text))


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col" style="{_CELL}">{_html(one)}</th>' for one in table.head)
    rows = "".join(
        "<tr>" + "".join(f'<td style="{_CELL}">{_html(one)}</td>' for one in row) + "</tr>"
        for row in table.rows
    )
    return (
        f'<div style="overflow-x:auto"><table style="{_TABLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Texts in columns, right-aligned."""
    seen = [[plain(one) for one in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*seen, strict=True)]
    return [
        "  " + "  ".join(f"{one:>{width}}" for one, width in zip(row, widths, strict=True))
        for row in seen
    ]
