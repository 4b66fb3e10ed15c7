"""Published results (`sport-ray publish`): records in a ``cells.csv``, no files of cells."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.results.folder import ResultFolder, damaged
from sport_ray.tracking.results.record import COLUMNS

_READ: dict[str, Callable[[str], Any]] = {
    "str": plain,
    "int": int,
    "float": float,
    "bool": {"True": True, "False": False}.__getitem__,
}


def published_rows(folder: Path) -> dict[str, dict[str, Any]] | None:
    """The records of published results by cell; None of a folder that holds no such.

    Numbers are read back exactly, what is empty as null. Columns that are not of a record are left
    out: they are derived anew.

    Raises:
        UserError: a table with a number that is none.
    """
    files, table = ResultFolder(folder), folder / "cells.csv"
    if files.study_json.exists() or files.cells.exists() or not table.is_file():
        return None
    try:
        with table.open(encoding="utf-8", newline="") as handle:
            rows = list(csv.DictReader(handle))
        found = {row["cell_id"]: _record(row) for row in rows}
        if len(found) != len(rows):
            raise ValueError("a cell_id is there twice")
        return found
    except (ValueError, KeyError) as error:
        raise UserError(damaged(table, repr(error), "`sport-ray publish`")) from None


def _record(row: dict[str, str | None]) -> dict[str, Any]:
    return {
        column.name: _READ[column.kind](text) if text else None
        for column in COLUMNS
        if (text := row.get(column.name)) is not None
    }
