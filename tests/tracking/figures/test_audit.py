"""The rules for figures find what they are there to find."""

from __future__ import annotations

import pytest

from sport_ray.tracking.figures.style import look, new_figure
from tests.tracking.figures.audit import problems


@pytest.fixture
def plot():
    with look():
        figure, grid = new_figure(4, 3)
        grid[0][0].plot([0, 1], [0, 1], "-o", color="#0072b2", label="a")
        yield figure, grid[0][0]


def test_a_plain_figure_has_no_problem(plot):
    figure, axes = plot
    axes.plot([0, 1], [1, 0], "-s", color="#0072b2", label="b")
    axes.legend()
    assert problems(figure) == []


def test_words_that_are_cut_or_overlap_or_small(plot):
    figure, axes = plot
    axes.text(0.2, 0.5, "one")
    axes.text(0.21, 0.5, "other")
    figure.text(0.99, 0.99, "beyond the edge")
    axes.text(0.5, 0.1, "tiny", fontsize=5)
    found = "; ".join(problems(figure, smallest=6.0))
    assert "'one' overlaps 'other'" in found
    assert "'beyond the edge' is cut" in found
    assert "'tiny' is 5.0 points" in found


@pytest.mark.parametrize(
    ("format_of_b", "colour", "label", "said"),
    [
        ("-o", "#0072b2", "b", "'a' and 'b' look alike"),
        ("-o", "#0070b8", "b", "'a' and 'b' look alike"),
        ("-s", "#0072b2", "a", "two entries are called 'a'"),
    ],
)
def test_entries_that_are_alike(plot, format_of_b, colour, label, said):
    figure, axes = plot
    axes.plot([0, 1], [1, 0], format_of_b, color=colour, label=label)
    axes.legend()
    assert said in "; ".join(problems(figure))


@pytest.mark.parametrize("other", ["^", "v", "D"])
def test_a_turned_mark_is_another(plot, other):
    figure, axes = plot
    axes.plot([0, 1], [1, 0], "-<", color="#0072b2", label="b")
    axes.plot([0, 1], [1, 0], f"-{other}", color="#0072b2", label="c")
    axes.legend()
    assert problems(figure) == []


def test_colours_that_only_some_tell_apart_are_one(plot):
    figure, axes = plot
    axes.plot([0, 1], [1, 0], "-s", color="#8d6a2e", label="b")
    axes.plot([0, 1], [1, 1], "-s", color="#6e7a2e", label="c")
    axes.legend()
    assert "'b' and 'c' look alike" in "; ".join(problems(figure))


def test_lines_without_marks_need_dashes(plot):
    figure, axes = plot
    axes.plot([0, 1], [1, 0], color="#d94380", label="b")
    axes.plot([0, 1], [1, 1], color="#c5850b", label="c")
    assert problems(figure) == ["lines 'b' and 'c' have no marks"]
    axes.get_lines()[-1].set_linestyle("--")
    assert problems(figure) == []
