"""Published results (`sport-ray publish`): records in a ``cells.csv``, no files of cells."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sport_ray.tracking.results.schema import COLUMNS

_TYPES = {"str": str, "int": int, "float": float}


def is_published(folder: Path) -> bool:
    """Whether a folder holds a table of cells and is no sweep's result folder."""
    of_a_sweep = any((folder / name).exists() for name in ("study.json", "cells"))
    return not of_a_sweep and (folder / "cells.csv").is_file()


def published_records(file: Path) -> list[dict[str, Any]]:
    """The rows of a ``cells.csv`` as records: its numbers read back exactly, null where empty.

    Columns that are not of a record are left out: they are derived anew.

    Raises:
        ValueError: a number that is none.
    """
    with file.open(encoding="utf-8", newline="") as handle:
        return [
            {
                column.name: _TYPES[column.kind](row[column.name]) if row[column.name] else None
                for column in COLUMNS
                if row.get(column.name) is not None
            }
            for row in csv.DictReader(handle)
        ]
