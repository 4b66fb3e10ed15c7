"""One description, two forms: the same facts as text and as HTML, and nothing of it is markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from sport_ray.certificates import load_certificate
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.view import Table, View, at_least, at_most
from tests.experiments.known_certificate import certificate

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>\x1b[31m\u202e"


class Reader(HTMLParser):
    """What a page shows, and what it is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.styles = [value for name, value in attrs if name == "style"]
        assert not any("url(" in (value or "") for value in self.styles)

    def handle_data(self, data):
        self.texts.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


HARMLESS = {"div", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}


def test_all_that_it_holds_is_text() -> None:
    view = View(
        HOSTILE, (HOSTILE,), Table((HOSTILE,), ((HOSTILE,),)), ((HOSTILE, HOSTILE),), (HOSTILE,),
        HOSTILE,
    )  # fmt: skip
    found = read(view.html())
    assert found.tags <= HARMLESS
    assert found.attributes <= {"class", "style", "role", "scope"}
    shown = "<script>alert(1)</script>\"'&<img src=x onerror=y>[31m"
    assert found.texts.count(shown) == 8
    for form in (view.html(), view.text()):
        assert "\x1b" not in form
        assert "\u202e" not in form


@pytest.mark.parametrize("own", [certificate, None], ids=["made", "shipped"])
def test_a_certificate_says_the_same_in_both_forms(own) -> None:
    given = own() if own else load_certificate(BUNDLED / "point_reach_avoid" / "certificate.json")
    view = given.view()
    html, text = read(given._repr_html_()), str(view)
    assert html.tags <= HARMLESS
    assert view.table is not None
    facts = [*view.sentences, *view.assumptions, *(part for fact in view.facts for part in fact)]
    facts += [cell for row in view.table.rows for cell in row]
    assert all(fact in html.texts and fact in text for fact in facts)
    assert f"With confidence 1 − {given.beta:g}" in text  # the promise, its theorem, its premises
    assert "Clopper–Pearson" in text
    assert "docs/bounds.md, section 1" in text
    assert given.digest in text
    assert given.base_digest in text
    for horizon, _, eps, alpha in view.table.rows:
        bound = given.eps_base(int(horizon))
        assert bound <= float(eps) <= bound * 1.001
        assert bound * float(alpha) ** int(horizon) <= 1.0
    assert int(view.table.rows[-1][0]) == given.max_horizon


def test_of_a_chosen_horizon_there_is_one_line() -> None:
    from sport_ray.certificates.choice import Choice

    about = dict.fromkeys(Choice.model_fields)
    assert "horizon" in about
    given = certificate().model_copy(update={"choice": Choice.model_construct(horizon=12)})
    view = given.view()
    assert view.table is not None
    assert [row[0] for row in view.table.rows] == ["12"]
    assert "for the T = 12 that was chosen on other scenarios" in view.sentences[0]
    assert "at β itself" in dict(view.facts)["theorem"]


def test_bounds_are_rounded_to_the_side_that_still_bounds() -> None:
    assert at_most(0.123401) == "0.1235"
    assert at_least(0.123499) == "0.1234"
    assert (at_most(0.05), at_least(0.05), at_most(1.0)) == ("0.05", "0.05", "1")
    assert at_most(1e-9 / 3) == "3.334e-10"
