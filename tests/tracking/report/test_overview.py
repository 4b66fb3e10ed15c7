"""The first screen: task, promise and completeness, from the files alone."""

from __future__ import annotations

from pathlib import Path

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.speakers import leader
from sport_ray.tracking.report.overview import Overview, brief, overview_of
from sport_ray.tracking.report.rows import cell_rows, ids_by_setting
from sport_ray.tracking.results.completeness import completeness_of
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import table_of
from tests.tracking.conftest import NUM_SCENARIOS


def overview(path: Path) -> Overview:
    folder = read_results(path)
    frame = table_of(folder)
    settings = aggregate(frame)
    answer = answer_study(settings, folder.certificate, folder.base_at)
    cells = ids_by_setting(cell_rows(frame, settings))
    return overview_of(folder, frame, settings, answer, completeness_of(folder), cells)


def test_it_says_task_promise_and_what_is_there(make_results) -> None:
    shown = overview(make_results(samples=True))
    assert shown.words == "Reach “goal”, with no “hazard” before it"
    assert shown.environment == "sport_ray/PointReachAvoid-v0"
    assert shown.horizons == "21, 30"
    assert shown.counts == (("planned", 52), ("finished", 51), ("failed", 1), ("missing", 0))
    facts = {fact.name: fact.value for fact in shown.facts}
    assert f"{NUM_SCENARIOS:,} episodes, confidence 1 − 10⁻⁷" in facts["Base policy"]
    assert facts["Training budget"] == "200,000 environment steps a policy (Projected PPO)"
    assert facts["Prior bound"] == "ε_base · α^T"
    assert shown.scene is not None
    assert shown.scene.count == 24


def test_without_trajectories_and_certificate_the_rest_is_there(make_results) -> None:
    folder = make_results(alphas=(1.0, 1.1), horizons=(21,))
    (folder / "certificate.json").unlink()
    shown = overview(folder)
    assert shown.scene is None
    assert (shown.words, shown.formula) == ("", "")
    assert "Base policy" not in {fact.name for fact in shown.facts}


def test_the_scene_is_inside_its_picture(make_results) -> None:
    scene = overview(make_results(samples=True)).scene
    assert scene is not None
    assert max(scene.width, scene.height) == 120
    for x, y, radius in (scene.hazard, scene.goal):
        assert radius <= x <= scene.width - radius
        assert radius <= y <= scene.height - radius
    assert scene.goal[1] < scene.hazard[1] < scene.start[1]  # upwards is up
    assert all(d.startswith("M") and "NaN" not in d for d in (*scene.paths, *scene.entering))


def test_a_damaged_sample_is_passed_over(make_results) -> None:
    folder = make_results(samples=True)
    for file in sorted(folder.glob("cells/*/samples.npz"))[1:]:
        file.write_bytes(b"PK not a zip")
    scene = overview(folder).scene
    assert scene is not None
    assert scene.cell == sorted(folder.glob("cells/*/samples.npz"))[0].parent.name


def test_brief_is_one_row_per_risk_and_method_and_never_the_base(make_kinds) -> None:
    folder = read_results(make_kinds())
    best = answer_study(aggregate(table_of(folder)), folder.certificate, folder.base_at).best
    kept = [best[place] for place in sorted(brief(best))]
    assert len(kept) < len(best)
    assert len({(one.level, one.method) for one in kept}) == len(kept)
    assert not any(one.is_base for one in kept)
    led = [leader([b for b in best if b.level == level]) for level in {one.level for one in kept}]
    assert len({one.setting for one in led}) == len(led)  # a larger risk that buys nothing: no row
    assert len({one.level for one in best}) > len(led)
    for one in kept:
        rivals = [b for b in best if (b.level, b.method) == (one.level, one.method)]
        assert leader(rivals) is one


def test_brief_keeps_the_base_where_there_is_nothing_else(make_results) -> None:
    folder = read_results(make_results(alphas=(1.0,), horizons=(21,)))
    best = answer_study(aggregate(table_of(folder)), folder.certificate, folder.base_at).best
    assert brief(best) == set(range(len(best)))


def test_the_promise_is_told_by_the_formula_of_what_leads_and_of_the_papers(make_kinds) -> None:
    facts = {one.name: one.value for one in overview(make_kinds()).facts}
    assert facts["Prior bound"] == "pathwise budget: ε_base · e^B; constant ratio: ε_base · α^T"
