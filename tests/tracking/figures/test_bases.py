"""A study over several bases, with and without numbers that were read off the paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sport_ray.tracking.analysis.bases import Bases, read_bases
from sport_ray.tracking.figures.bases import RISK, SAVED, draw_bases
from tests.tracking.figures.atlas import PUBLISHED, noted


@pytest.fixture(scope="module")
def paper() -> Bases:
    return read_bases(PUBLISHED / "paper")


def told(bases: Bases, folder: Path) -> dict[str, tuple[str, str]]:
    """Legend and caption of each figure."""
    with noted() as made:
        drawn = draw_bases(bases, folder)
    legends = [
        " ".join(text.get_text() for legend in figure.legends for text in legend.get_texts())
        for _, figure in made
    ]
    return {n: (legend, drawn[n].caption) for n, legend in zip(drawn, legends, strict=True)}


def test_the_paper_is_named_where_it_is_drawn(paper: Bases, tmp_path: Path) -> None:
    found = told(paper, tmp_path)
    assert all("the paper" in legend and "Diamonds" in text for legend, text in found.values())
    assert "the paper: below this" in found[RISK][0]


def test_and_nowhere_else(paper: Bases, tmp_path: Path) -> None:
    read_off = [name for name in paper.saved.columns if "published" in name]
    alone = paper.saved.assign(**dict.fromkeys(read_off, float("nan")))
    found = told(replace(paper, saved=alone), tmp_path)
    assert found.keys() == {SAVED, RISK}
    assert not any("the paper" in f"{legend} {caption}" for legend, caption in found.values())


def test_a_mark_that_the_first_panel_has_not_is_in_the_legend(paper: Bases, tmp_path: Path) -> None:
    below = paper.saved["rate_published"].astype(str).str.startswith("<")
    first = paper.saved["series"] == paper.saved["series"].min()
    rates = paper.saved["rate_published"].mask(below & first)
    found = told(replace(paper, saved=paper.saved.assign(rate_published=rates)), tmp_path)
    assert "the paper: below this" in found[RISK][0]
