"""The report page: complete, self-contained, escaped, the same every time."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.tables import tables_of
from sport_ray.tracking.figures import draw_figures
from sport_ray.tracking.report.svg import inline_svg
from sport_ray.tracking.results.csv_text import csv_text
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.table import results_table
from tests.tracking.conftest import write_kinds

FIGURES = (
    "risk",
    "steps_to_goal",
    "conservativeness",
    "pareto",
    "max_log_alpha",
    "prior_bound",
    "trajectories",
    "policies",
)
VOID = {"meta", "link", "br", "img", "input", "hr", "source"}


class Page(HTMLParser):
    """Collects tags, ids and text, and checks that elements are nested and closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str, **attrs: str) -> int:
        return sum(t == tag and attrs.items() <= a.items() for t, a in self.tags)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    make = request.getfixturevalue("make_results_in")
    folder = make(tmp_path_factory.mktemp("report"), samples=True)
    assert write_report(folder) == folder / "report.html"
    return folder


def test_writes_page_tables_and_figures(built: Path) -> None:
    assert {f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg")} == {
        file.name for file in (built / "figures").iterdir() if file.stem != "animation"
    }
    assert {"animation.gif", "animation.png"} <= {f.name for f in (built / "figures").iterdir()}
    pd.testing.assert_frame_equal(pd.read_parquet(built / "cells.parquet"), load_results(built))
    assert (built / "cells.csv").read_text() == csv_text(load_results(built))
    assert len(pd.read_csv(built / "pareto.csv")) > 5
    assert (built / "report.html").stat().st_size < 5_000_000
    assert not list(built.glob(".*.tmp"))


def test_page_is_well_formed_with_one_heading_and_all_cells(built: Path) -> None:
    page = Page((built / "report.html").read_text())
    assert page.count("h1") == 1
    rows = [
        attrs for tag, attrs in page.tags if tag == "tr" and attrs.get("id", "").startswith("cell-")
    ]
    assert len(rows) == 52
    assert page.count("tr", **{"class": "failed"}) == 1
    assert "worker died: out of memory" in "".join(page.text)


def test_ids_are_unique_and_references_resolve(built: Path) -> None:
    page = Page((built / "report.html").read_text())
    ids = [attrs["id"] for _, attrs in page.tags if attrs.get("id")]
    assert len(ids) == len(set(ids))
    links = [a["href"] for _, a in page.tags if (a.get("href") or "").startswith("#")]
    assert links
    assert {str(link)[1:] for link in links} <= set(ids)


def test_page_needs_no_network(built: Path) -> None:
    page = Page((built / "report.html").read_text())
    loading = [
        (tag, name, attrs[name])
        for tag, attrs in page.tags
        for name in ("src", "srcset", "data", "poster", "href")
        if attrs.get(name) and tag not in ("a", "use", "textpath", "lineargradient")
        if not str(attrs[name]).startswith(("data:", "#"))
    ]
    assert loading == []
    text = (built / "report.html").read_text()
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'" in text


def test_page_names_no_folder_of_this_machine(built: Path) -> None:
    assert str(built) not in (built / "report.html").read_text()


def test_page_tells_answer_certificate_and_promise(built: Path) -> None:
    text = " ".join("".join(Page((built / "report.html").read_text()).text).split())
    assert "At certified risk ≤ 0.1, Projected PPO reaches the goal in" in text
    assert "arXiv 2504.06386" in text
    assert "sport-ray run study.yaml" in text
    assert "(!hazard) U goal" in text
    assert "1 − 10⁻⁷" in text
    assert "Check failed" not in text


def test_chart_and_embedded_table_agree_with_the_csv(built: Path) -> None:
    text = (built / "report.html").read_text()
    front = pd.read_csv(built / "pareto.csv")
    assert text.count(' on-front"') == len(front)
    embedded = re.findall(
        r'download="(\w+.csv).gz" href="data:application/gzip;base64,([^"]+)"', text
    )
    assert {name for name, _ in embedded} == {"cells.csv", "pareto.csv", "hypervolume.csv"}
    for name, data in embedded:
        assert gzip.decompress(base64.b64decode(data)).decode() == (built / name).read_text()


def test_the_same_files_give_the_same_bytes(built: Path) -> None:
    names = ["report.html", "cells.csv", "pareto.csv", "hypervolume.csv", "cells.parquet"]
    names += ["figures/animation.gif", *(f"figures/{n}.svg" for n in FIGURES)]
    before = {name: (built / name).read_bytes() for name in names}
    write_report(built)
    assert {name: (built / name).read_bytes() for name in names} == before


def test_user_text_is_escaped(make_results) -> None:
    evil = "</title><script>alert('x')</script>&amp;"

    def shout(record: dict) -> dict:
        return record | {"reason": evil} if record["status"] == "failed" else record

    folder = make_results(name=evil, change=shout)
    text = write_report(folder).read_text()
    assert "<script>alert" not in text
    page = Page(text)
    assert page.count("script") == 1
    assert evil in "".join(page.text)


def test_missing_samples_and_certificate_are_said_and_old_pictures_go(make_results) -> None:
    folder = make_results(alphas=(1.0, 1.1), horizons=(21,), seeds=(0,))
    (folder / "figures").mkdir()
    (folder / "figures" / "trajectories.png").write_bytes(b"old")
    (folder / "certificate.json").unlink()
    text = "".join(Page(write_report(folder).read_text()).text)
    assert (
        "“trajectories” is not drawn: no cell under a constant ratio α kept its trajectories"
        in text
    )
    assert "“prior_bound” is not drawn: the folder has no certificate" in text
    assert "holds no certificate.json" in text
    assert "Check failed" in text
    assert not (folder / "figures" / "trajectories.png").exists()
    assert (folder / "figures" / "risk.png").exists()


def test_a_study_in_which_everything_failed_still_reports(make_results) -> None:
    folder = make_results(
        alphas=(1.0, 1.1),
        horizons=(21,),
        change=lambda record: record | {"status": "failed", "reason": "no memory"},
    )
    text = "".join(Page(write_report(folder).read_text()).text)
    assert "0 of 10 planned cells are finished: 10 failed (no memory)" in text
    assert "below 1" not in text  # nothing is there, which is not that nothing is good
    assert "10 failed" in text


def test_no_results_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no results"):
        write_report(tmp_path)


def test_inline_svg_follows_the_theme_and_keeps_ids_apart(built: Path) -> None:
    svg = (built / "figures" / "risk.svg").read_text()
    inlined = str(inline_svg(svg, "risk", 'a "label"'))
    assert inlined.startswith("<svg viewBox=")
    assert 'aria-label="a &#34;label&#34;"' in inlined
    assert "#1f2933" not in inlined
    assert "var(--ink)" in inlined
    assert set(re.findall(r'\bid="([^"]+)"', inlined)) == {
        f"risk-{name}" for name in re.findall(r'\bid="([^"]+)"', svg)
    }
    assert len(inlined) < len(svg)


def test_draw_figures_returns_captions_with_seeds(built: Path) -> None:
    folder = read_results(built)
    drawn, skipped = draw_figures(folder, tables_of(folder))
    assert tuple(drawn) == FIGURES
    # No ε_max, PPO alone, and records that promise nothing of training.
    assert set(skipped) == {"speedup", "task_policies", "training"}
    for name in ("risk", "steps_to_goal", "pareto", "trajectories", "policies"):
        assert "seed" in drawn[name].caption


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_kinds(tmp_path_factory.mktemp("kinds"), samples=True)
    write_report(folder)
    return folder


def test_a_study_of_budgets_says_what_certified_risk_buys(kinds: Path) -> None:
    page = Page((kinds / "report.html").read_text())
    text = " ".join("".join(page.text).split())
    assert "What certified risk buys" in text
    assert "What a budget gives up." in text
    assert "not the uniform bound on every step" in text
    assert "Check failed" not in text
    table = pd.read_csv(kinds / "speedup.csv")
    assert set(table["eps_max"]) == {0.05, 0.1}
    for name in table["kind"]:
        assert name in text
    assert {"speedup.png", "speedup.svg"} <= {f.name for f in (kinds / "figures").iterdir()}
    assert page.count("section", id="speedup") == 1
    rows = [
        attrs for tag, attrs in page.tags if tag == "tr" and attrs.get("id", "").startswith("cell-")
    ]
    assert len(rows) == 63
    assert len({attrs["data-setting"] for attrs in rows}) == 21


def test_figures_over_alpha_leave_other_kinds_out_and_say_so(kinds: Path) -> None:
    folder = read_results(kinds)
    frame = results_table(folder.records)
    drawn, _ = draw_figures(folder, tables_of(folder))
    for name in ("risk", "steps_to_goal"):
        assert drawn[name].caption.endswith("Gauss–Rényi, mean shift, pathwise budget.")
    gauss = frame.loc[frame["constraint"] == "gauss_renyi", "alpha"].max()
    assert f">{gauss:.4g}<" not in drawn["risk"].svg  # its α is no tick of that axis
    ratio = frame.loc[frame["constraint"] == "ratio", "alpha"].max()
    assert f">{ratio:.4g}<" in drawn["risk"].svg


def test_an_old_comparison_goes_where_there_is_none(make_results) -> None:
    folder = make_results(alphas=(), horizons=(21,), seeds=(0,))
    (folder / "speedup.csv").write_text("old")
    text = write_report(folder).read_text()
    assert " of 1 setting, 1 seed" in text
    assert not (folder / "speedup.csv").exists()
    assert 'id="speedup"' not in text
    assert "#speedup" not in text


ODD: dict[str, object] = {
    "seed": 99999999999999999999,
    "train_return": 10**400,
    "reason": ["\ud800"],
    "alpha": "1.5",
    "horizon": None,
    "alpha_p": 0.5,
    "study": "another",
    "prior_bound": float("inf"),
}
HARMLESS: dict[str, object] = {
    "mean_return": float("-inf"),
    "hyperparameters": "$\\frac{, =1+1 \x1b[2J",
    "source": "\u202e<script>$x^{",
    "finished_at": "\x07 not a time",
    "of a later version": {"any": ["thing"]},
    "certified": "yes",
    "train_seconds": 1e308,
}


def test_no_field_of_one_record_stops_a_report(make_results) -> None:
    folder = make_results(samples=True, alphas=(1.0, 1.5), horizons=(21,), seeds=(0, 1, 2))
    files = sorted(folder.glob("cells/*/record.json"))
    assert len(files) == len(ODD) + len(HARMLESS)
    for file, (name, value) in zip(files, [*ODD.items(), *HARMLESS.items()], strict=True):
        file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    sample = next(folder.glob("cells/*/samples.npz"))
    sample.write_bytes(b"PK not a zip")
    page = write_report(folder).read_text(encoding="utf-8")
    assert f"{len(ODD)} have records that cannot be read" in page
    assert len(read_results(folder).records) == len(HARMLESS)
    assert not set(page) & {"\x1b", "\x07", "\u202e"}
    assert "<script>$x" not in page
    with pytest.warns(UserWarning, match="left out of the table"):
        load_results(folder)
