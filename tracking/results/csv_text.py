"""Tables as CSV: exact numbers, and texts that no spreadsheet takes for a formula."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from pandas.api.types import is_object_dtype

from sport_ray.text import plain
from sport_ray.tracking.results.files import write_atomically

_FORMULA = ("=", "+", "-", "@")


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV: shortest decimal that reads back to the same float64, empty if missing.

    A text that begins as a formula does, other than a number, has a quotation mark before it.
    """
    shown = table.copy()
    for name, kind in table.dtypes.items():
        if isinstance(kind, pd.StringDtype) or is_object_dtype(kind):
            shown[name] = table[name].map(_safe).astype(object)
    return shown.rename(columns=_safe).to_csv(index=False, lineterminator="\n")


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """Write a table to ``path`` atomically."""
    return write_atomically(path, csv_text(table))


def write_csv_if_any(table: pd.DataFrame, path: Path) -> Path | None:
    """The same; with no row, remove an older one."""
    if table.empty:
        path.unlink(missing_ok=True)
        return None
    return write_csv(table, path)


def _safe(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
