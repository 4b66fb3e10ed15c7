"""The tables of ``docs/results-table.md``, made from the code.

``python -m sport_ray.tracking.reference`` in the repository's root brings it up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sport_ray.tracking.analysis import side_by_side, steps_saved
from sport_ray.tracking.analysis.speedup import MEANINGS
from sport_ray.tracking.mlflow.finding import FINDINGS
from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.results.curves import QUANTITIES
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.tracking.results.table import DERIVED, LEVEL

COMMAND = "python -m sport_ray.tracking.reference"
PAGE = Path("docs/results-table.md")
END = "<!-- to here -->"


def metrics_table() -> str:
    """`METRICS` as Markdown."""
    rows = [(f"`{name}`", m.unit, m.meaning, m.absent) for name, m in METRICS.items()]
    return markdown_table(("metric", "unit", "meaning", "absent where"), rows)


def findings_table() -> str:
    """`FINDINGS` as Markdown."""
    rows = [(f"`{name}`", m.unit, m.meaning) for name, m in FINDINGS.items()]
    return markdown_table(("metric", "unit", "meaning"), rows)


def columns_table() -> str:
    """`COLUMNS` and the derived columns as Markdown."""
    rows: list[tuple[str, ...]] = [
        (f"`{c.name}`", c.kind, c.unit, c.meaning, "may be" if c.nullable else "never")
        for c in COLUMNS
    ]
    for name, meaning in DERIVED.items():
        kind = ("float", "probability") if name == LEVEL else ("bool", "")
        rows.append((f"`{name}`", *kind, meaning, "may be" if name == LEVEL else "never"))
    return markdown_table(("column", "type", "unit", "meaning", "empty"), rows)


def speedup_columns_table() -> str:
    """The columns of ``speedup.csv`` as Markdown."""
    return markdown_table(("column", "meaning"), _named(MEANINGS))


def steps_saved_columns_table() -> str:
    """The columns of ``steps_saved.csv`` as Markdown."""
    return markdown_table(("column", "meaning"), _named(steps_saved.COLUMNS))


def side_by_side_columns_table() -> str:
    """The columns of ``side_by_side.csv`` as Markdown."""
    return markdown_table(("column", "meaning"), _named(side_by_side.COLUMNS))


def curves_table() -> str:
    """`QUANTITIES` of learning curves as Markdown."""
    how = {"last": "as at the last", "mean": "their mean", "max": "their largest"}
    rows = [(f"`{name}`", q.unit, q.meaning, how[q.join]) for name, q in QUANTITIES.items()]
    return markdown_table(("column", "unit", "meaning", "of joined iterations"), rows)


def _named(meanings: Mapping[str, str]) -> list[tuple[str, ...]]:
    return [(f"`{name}`", meaning) for name, meaning in meanings.items()]


TABLES = {
    "columns": columns_table,
    "speedup": speedup_columns_table,
    "side_by_side": side_by_side_columns_table,
    "steps_saved": steps_saved_columns_table,
    "curves": curves_table,
    "metrics": metrics_table,
    "findings": findings_table,
}


def markdown_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of one line per row."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Markdown takes '|' for the end of a cell."""
    return text.replace("|", "\\|")


def renewed(text: str) -> str:
    """The page with each table between its marks; ValueError where one is not there."""
    for name, table in TABLES.items():
        text = with_table(text, f"<!-- {name}: {COMMAND} -->", table())
    return text


def with_table(text: str, mark: str, table: str) -> str:
    """A page with the table between a mark and `END`; ValueError where one is not there."""
    before, begin, rest = text.partition(mark)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"a page of docs/: expected {mark!r} and {END!r} in it")
    return f"{before}{mark}\n\n{table}\n\n{END}{after}"


def main() -> None:
    """Renew the page below the current directory."""
    write_atomically(PAGE, renewed(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
