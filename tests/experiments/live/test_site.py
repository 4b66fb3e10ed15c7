"""A study over several bases: one server, a page for each, and a page that leads to them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sport_ray.experiments.live.index import Index
from sport_ray.experiments.live.joint import joint_state
from sport_ray.experiments.live.pages import Pages
from sport_ray.experiments.live.site import Site
from sport_ray.experiments.live.state import State
from tests.tracking.conftest import write_study

STUDY = {"name": "<b>several", "bases": ["fast", "./slow"]}


def state(phase: str, sentence: str = "", **more: object) -> State:
    return State(phase, "mine", sentence, **more)  # type: ignore[arg-type]


def test_what_is_at_work_is_told_first() -> None:
    one = state("ended", "ended: 4 of 4 cells", finished=4, planned=4, changed="2026-03-02T10:00")
    failed = [{"cell": "ab", "where": "T = 22", "reason": "no room"}]
    two = state("live", "live: 1 of 4 cells", finished=1, planned=4, failed=failed, more_failed=2)
    found = joint_state(
        "mine", "bases", [("a", one), ("b", two), ("c", state("waiting", "nothing"))]
    )
    assert (found.phase, found.finished, found.planned) == ("live", 5, 8)
    assert found.sentence == "b: live: 1 of 4 cells; 1 of 3 bases ended"
    assert found.failed == [{"cell": "ab", "where": "b, T = 22", "reason": "no room"}]
    assert (found.more_failed, found.changed) == (2, "2026-03-02T10:00")
    for phase, wanted in (("gone", "gone"), ("waiting", "waiting"), ("ended", "ended")):
        assert joint_state("mine", "bases", [("a", one), ("b", state(phase))]).phase == wanted
    assert joint_state("mine", "sizes", [("a", one)]).sentence == "1 of 1 sizes ended"


def test_a_study_without_a_name_goes_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"bases": ["one", "two"]}))
    index = Index(tmp_path)
    try:
        assert index.state.study == tmp_path.name
        assert index.state.sentence == "one: nothing has begun here yet; 0 of 2 bases ended"
    finally:
        index.close()


@pytest.mark.slow
def test_each_base_has_its_page_and_the_first_leads_to_them(tmp_path: Path) -> None:
    root = tmp_path / "several"
    told: list[str] = []
    site = Site(root, lambda found: told.append(found.sentence))
    try:
        assert site.at("/fast/") is None  # nothing has begun: it waits as for any folder
        root.mkdir()
        (root / "study.json").write_text(json.dumps(STUDY))
        site.look()
        pages = [site.at(path) for path in ("/", "/state", "/fast/", "/fast/state")]
        assert [found and found[1] for found in pages] == [False, True, False, True]
        for path in ("/fast", "/none/", "/fast/x", "/fast//", "/../", "//", "/fast/../state"):
            assert site.at(path) is None
        first = site.at("/")
        assert first is not None
        assert first[0].state.sentence == "fast: nothing has begun here yet; 0 of 2 bases ended"
        name, page = first[0].page
        text = page.decode()
        assert "&lt;b&gt;several" in text
        assert f'href="{folder_of(site, "slow")}/"' in text

        shutil.copytree(write_study(tmp_path), root / "fast")
        assert site.render()
        assert not site.render()  # the other has nothing to show, and this one has not changed
        site.look()
        assert first[0].page[0] != name
        text = first[0].page[1].decode()
        assert 'aria-label="fast: ' in text
        assert "P(violation) ≤ ε = " in text
        part = site.at("/fast/")
        assert part is not None
        page = part[0].page[1].decode()
        assert '<a href="../">All bases</a>' in page
        lead = page.partition('<p class="lead">')[2].partition("</p>")[0]
        assert lead in text
        assert told[0].startswith("fast: nothing has begun")
    finally:
        site.close()


def folder_of(site: Site, start: str) -> str:
    index = site.at("/")
    assert index is not None
    assert isinstance(index[0], Index)
    assert all(isinstance(part, Pages) for part in index[0].parts.values())
    return next(name for name in index[0].parts if name.startswith(start))
