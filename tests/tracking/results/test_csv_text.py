"""Numbers stay what they are; no text is a formula to a spreadsheet."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from sport_ray.tracking.results.csv_text import csv_text

FORMULAE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("text", FORMULAE)
def test_a_text_that_begins_as_a_formula_is_marked(text: str) -> None:
    table = pd.DataFrame({"reason": ["ok", text], text: [1, 2]})
    read = pd.read_csv(io.StringIO(csv_text(table)))
    assert read.iloc[1, 0].startswith("'")
    assert read.columns[1].startswith("'")
    assert read.iloc[0, 0] == "ok"


def test_numbers_are_exact_also_below_zero_and_where_they_are_texts() -> None:
    numbers = np.array([-0.1, np.pi, -1e-300, np.inf, np.nan])
    table = pd.DataFrame({"x": numbers, "named": ["-0.1", "+3", "-1e-300", "inf", None]})
    lines = csv_text(table).splitlines()
    assert lines[1:4] == ["-0.1,-0.1", f"{np.pi!r},+3", "-1e-300,-1e-300"]
    read = pd.read_csv(io.StringIO(csv_text(table)))
    np.testing.assert_array_equal(read["x"], numbers)


def test_missing_values_and_integers_are_as_pandas_writes_them() -> None:
    table = pd.DataFrame(
        {
            "seed": pd.array([1, None], dtype="Int64"),
            "held": [True, False],
            "name": pd.array(["a", None], dtype="str"),
        }
    )
    assert csv_text(table) == table.to_csv(index=False, lineterminator="\n")


def test_controls_do_not_get_into_the_file() -> None:
    table = pd.DataFrame({"reason": ["\x1b[2Ja\u202eb\r\nc"]})
    assert csv_text(table) == "reason\n[2Jab c\n"
