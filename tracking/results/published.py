"""Published results (`sport-ray publish`): records in a ``cells.csv``, no files of cells."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.results.folder import ResultFolder, damaged
from sport_ray.tracking.results.record import COLUMNS
from sport_ray.untrusted_files import LARGEST, TooLarge

TABLES = ("cells.csv", "cells.csv.gz")
"""The table of the records, as it is or packed: one of them is there."""
_READ: dict[str, Callable[[str], Any]] = {
    "str": plain,
    "int": int,
    "float": float,
    "bool": {"True": True, "False": False}.__getitem__,
}


def published_rows(folder: Path) -> dict[str, dict[str, Any]] | None:
    """The records of published results by cell; None of a folder that holds no such.

    Numbers are read back exactly, what is empty as null. Columns that are neither of a record nor a
    parameter of its constraint are left out: they are derived anew.

    Raises:
        UserError: a table with a number that is none.
    """
    files = ResultFolder(folder)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if files.study_json.exists() or files.cells.exists() or table is None:
        return None
    try:
        text = (unpacked(table) if table.suffix == ".gz" else table.read_bytes()).decode("utf-8")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        found = {row["cell_id"]: _record(row) for row in rows}
        if len(found) != len(rows):
            raise ValueError("a cell_id is there twice")
        return found
    except (ValueError, KeyError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(damaged(table, repr(error), "`sport-ray publish`")) from None


def unpacked(file: Path, limit: int = LARGEST) -> bytes:
    """The content of a gzip file.

    Raises:
        TooLarge: it expands to more than ``limit`` bytes.
    """
    with gzip.open(file, "rb") as handle:
        data = handle.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(f"larger than {limit} bytes")
    return data


def _record(row: dict[str, str | None]) -> dict[str, Any]:
    found = {
        column.name: _READ[column.kind](text) if text else None
        for column in COLUMNS
        if (text := row.get(column.name)) is not None
    }
    from sport_ray.tracking.results.kinds import class_of  # `sport-ray status` needs none

    kind = class_of(found.get("constraint"))
    own = {} if kind is None else kind.__dataclass_fields__  # type: ignore[attr-defined]
    more = {name: text for name in own if name not in found and (text := row.get(name))}
    return found | {name: float(text) for name, text in more.items()}
