"""The tables of ``docs/metrics.md`` and ``docs/results-table.md``, made from the code.

``python -m sport_ray.tracking.results.reference`` in the repository's root brings both files up to
date.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sport_ray.tracking.mlflow.metrics import METRICS
from sport_ray.tracking.results.files import write_atomically
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.tracking.results.table import DERIVED

BEGIN = "<!-- from here: python -m sport_ray.tracking.results.reference -->"
END = "<!-- to here -->"


def metrics_table() -> str:
    """`METRICS` as Markdown."""
    rows = [(f"`{name}`", m.unit, m.meaning, m.absent) for name, m in METRICS.items()]
    return _table(("metric", "unit", "meaning", "absent where"), rows)


def columns_table() -> str:
    """`COLUMNS` and the derived columns as Markdown."""
    rows: list[tuple[str, ...]] = [
        (f"`{c.name}`", c.kind, c.unit, c.meaning, "may be" if c.nullable else "never")
        for c in COLUMNS
    ]
    rows += [(f"`{name}`", "bool", "", meaning, "never") for name, meaning in DERIVED.items()]
    return _table(("column", "type", "unit", "meaning", "empty"), rows)


DOCUMENTS = {"metrics.md": metrics_table, "results-table.md": columns_table}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Markdown takes '|' for the end of a cell."""
    return text.replace("|", "\\|")


def renewed(text: str, table: str) -> str:
    """A document with the table between its two marks; ValueError where they are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"text: expected {BEGIN!r} and {END!r} in it")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def main() -> None:
    """Renew the documents below the current directory."""
    for name, table in DOCUMENTS.items():
        path = Path("docs") / name
        write_atomically(path, renewed(path.read_text(encoding="utf-8"), table()))


if __name__ == "__main__":
    main()
