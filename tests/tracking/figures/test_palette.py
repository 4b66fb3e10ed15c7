"""One language of colour and mark: told apart by everyone, on paper and on the dark page."""

from __future__ import annotations

import itertools
import re
from importlib import resources

import pytest

from sport_ray.constraints import CONSTRAINTS
from sport_ray.tracking.figures import palette
from sport_ray.tracking.report.svg import THEME
from sport_ray.tracking.results.task_policies import TITLES, series_of_row
from tests.tracking.figures.sight import SIGHTS, contrast, distance

KINDS = [*palette.KINDS.values()]
FAR = 20.0
"""In CIELAB; a difference of 2.3 is just noticeable, and small marks need much more."""


def _variables(theme: str) -> dict[str, str]:
    """The page's colours by the name of their variable."""
    folder = resources.files("sport_ray.tracking.report").joinpath("templates")
    css = folder.joinpath("report.css").read_text("utf-8")
    start = css.index("dark)") if theme == "dark" else css.index(":root")
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css[start:].split("\n}\n")[0]))


def test_sights_are_those_of_dichromats():
    assert set(SIGHTS) == {"normal", "protanopia", "deuteranopia", "tritanopia"}
    # The pair that a reader without red or green cannot tell apart, though others can.
    assert distance("#d02020", "#6b6b00") < distance("#d02020", "#2020d0") / 3
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert distance("#123456", "#123456") == 0.0


def test_the_page_has_the_figures_colours():
    light = _variables("light")
    for name, colour in (palette.KINDS | palette.STEPS).items():
        assert light[name] == colour, name
    for colour, variable in THEME.items():
        name = variable[6:-1]
        assert name in _variables("dark"), name
        assert light[name] == colour or colour == "#000000", name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_kinds_are_told_apart_by_everyone(theme):
    names = _variables(theme)
    kinds = [names[one] for one in palette.KINDS]
    for one, other in itertools.combinations([*kinds, names["ink"]], 2):
        assert distance(one, other) > FAR, (one, other)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_and_texts_stand_out(theme):
    names = _variables(theme)
    for name in (*palette.KINDS, *palette.STEPS, "violation", "ink"):
        assert contrast(names[name], names["panel"]) >= 3.0, name
    for name in ("ink", "muted", "bad", "accent"):
        for ground in ("panel", "page"):
            assert contrast(names[name], names[ground]) >= 4.5, (name, ground)
    # Words in a shaded part of a figure: 55% of the grid's colour.
    assert contrast(names["muted"], names["grid"]) >= 4.5 or theme == "light"


def test_shaded_words_stand_out_on_paper():
    def mixed(share: float) -> str:
        pairs = zip(_channels(palette.GRID), _channels(palette.PAPER), strict=True)
        return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)

    assert contrast(palette.MUTED, mixed(0.55)) >= 4.5


def _channels(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_values_on_a_scale_go_one_way(theme):
    names = _variables(theme)
    steps = [contrast(names[name], names["panel"]) for name in palette.STEPS]
    assert steps == sorted(steps)


def test_every_kind_has_a_colour_of_its_own():
    ours = [name for name in CONSTRAINTS if ":" not in name]  # other tests have plug-ins
    colours = {name: palette.kind_colour(name) for name in ours}
    assert len(set(colours.values())) == len(colours)
    assert palette.kind_colour("a_plug_in") == palette.MUTED


def test_every_source_has_a_shape_of_its_own_under_every_constraint():
    held = [series_of_row({"source": one, "projected": True}) for one in TITLES]
    shapes = {palette.series_mark(one) for one in held}
    assert len(shapes) == len(TITLES)
    for one in ("scpo", "critic"):
        free = series_of_row({"source": one, "projected": False})
        assert palette.series_mark(free) == palette.series_mark(
            series_of_row({"source": one, "projected": True})
        )
    assert palette.series_mark("unprojected:a_plug_in") in palette.OTHER_MARKS


def test_values_beyond_the_marks_still_differ():
    looks = [palette.step_look(i, 7) for i in range(7)]
    assert len({mark for _, mark in looks}) == len({colour for colour, _ in looks}) == 7
