"""The table of shipped bases in the page: a row for each, and what a base says when it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from sport_ray.experiments.stages.base import bundled_bases
from sport_ray.experiments.stages.base_table import MARK, PAGE, renewed, row

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


def test_every_base_that_ships_is_in_it(page):
    table = page.partition(MARK)[2]
    assert [name for name in bundled_bases() if f"| `{name}` |" not in table] == []


def test_a_row_is_what_the_base_does(page):
    assert f"| {' | '.join(row('paper_bang_bang'))} |" in page


def test_a_page_without_the_marks_is_an_error():
    with pytest.raises(ValueError, match="shipped bases: made by"):
        renewed("nothing")
