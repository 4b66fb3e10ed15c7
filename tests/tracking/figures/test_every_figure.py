"""Every figure that there is can be read: on the screen, and in a column of a paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

import sport_ray
from sport_ray.tracking.figures.sheet import SCREEN_TEXT, Sheet
from sport_ray.tracking.paper.print import sheet_of
from sport_ray.tracking.paper.write import COLUMN
from tests.tracking.figures.atlas import draw_all
from tests.tracking.figures.audit import problems

pytestmark = pytest.mark.slow
SMALLEST = 6.0
"""Points of text in print."""


def laid_out(figure: Figure, folder: Path, name: str) -> str:
    """A figure as it would be saved, without its files."""
    figure.canvas.draw()
    figure.set_layout_engine("none")
    return ""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, Figure]]:
    return draw_all(tmp_path_factory.mktemp("all"), Sheet(None, SCREEN_TEXT, laid_out))


def test_every_module_that_makes_a_figure_is_looked_at(drawn):
    """A new figure is drawn here, or this says that it is not."""
    root = Path(sport_ray.__file__).parent
    makes = set()
    for file in (*root.glob("tracking/**/*.py"), *root.glob("experiments/**/*.py")):
        text = file.read_text(encoding="utf-8")
        assert "matplotlib.pyplot" not in text, f"{file}: pyplot has a state of its own"
        if "new_figure(" in text or "new_panels(" in text:
            makes.add("sport_ray." + ".".join(file.relative_to(root).with_suffix("").parts))
    makes.remove("sport_ray.tracking.figures.style")
    assert {module for _, module, _ in drawn} == makes


def test_every_figure_can_be_read(drawn):
    assert len(drawn) > 60
    found = [
        f"{module} of {name}: {problem}"
        for name, module, figure in drawn
        for problem in problems(figure)
    ]
    assert found == []


@pytest.mark.long
@pytest.mark.parametrize("width", [COLUMN, 2 * COLUMN])
@pytest.mark.parametrize("study", ["default", "sources/", "results/selection"])
def test_so_can_each_in_print(tmp_path, width, study):
    text = sheet_of(width, pgf=False).text
    drawn = draw_all(tmp_path, Sheet(width, text, laid_out), only=study)
    assert len(drawn) > 6
    found = [
        f"{module} of {name}: {problem}"
        for name, module, figure in drawn
        for problem in problems(figure, SMALLEST)
    ]
    assert found == []
