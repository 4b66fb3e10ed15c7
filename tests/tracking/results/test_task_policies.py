"""Sources of task policies in tables: no reader mixes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sport_ray.tracking import load_results, write_report
from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.compare import compare_studies
from sport_ray.tracking.analysis.conservativeness import ladder_table
from sport_ray.tracking.analysis.hypervolume import hypervolume_table
from sport_ray.tracking.analysis.pareto import candidates, pareto_table
from sport_ray.tracking.analysis.speedup import speedup_table
from sport_ray.tracking.analysis.task_policies import task_policy_table
from sport_ray.tracking.mlflow.identity import params_of
from sport_ray.tracking.mlflow.names import run_name
from sport_ray.tracking.report.chart import build_charts
from sport_ray.tracking.report.rows import filter_choices, outline
from sport_ray.tracking.results.kinds import is_reference, is_unconstrained, promise_of
from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.performance import STEPS
from sport_ray.tracking.results.records import read_results
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.task_policies import (
    SELECTIONS,
    has_other_sources,
    is_selection,
    series_of,
    series_of_row,
    series_text,
)


def test_a_source_as_it_is_and_projected_are_series_of_their_own(make_sources) -> None:
    frame = load_results(make_sources())
    assert has_other_sources(frame)
    named = {series_text(series) for series in series_of(frame)}
    assert named == {
        "Projected PPO", "Unconstrained", "Projected at deployment",
        "SCPO, as it is", "SCPO, projected", "PreSa, as it is", "PreSa, projected",
        "Imported, as it is", "Imported, projected",
    }  # fmt: skip
    assert series_text("unprojected:of_mine") == "of_mine, as it is"
    settings = aggregate(frame)
    assert len(settings) == 3 + 4 * 4
    assert set(settings["seeds"]) == {3}
    assert [series_of_row(row) for _, row in settings.iterrows()] == list(series_of(settings))
    names = [setting_text(row) for _, row in settings.iterrows()]
    assert len(set(names)) == len(names)
    assert {"SCPO, as it is", "SCPO, projected, α = 1.5", "unconstrained"} <= set(names)


def test_a_policy_as_it_is_promises_nothing_beforehand(make_sources) -> None:
    frame = load_results(make_sources())
    free = frame[~frame["projected"] & (frame["source"] != "unconstrained")]
    assert (free["constraint"] == "unconstrained").all()
    assert is_unconstrained(free).all()
    assert not free["certified"].any()
    assert not free["constraint_held"].any()
    assert set(promise_of(free)) == {"posterior"}
    assert not is_reference(free).any()
    assert ladder_table(free, None).empty


def test_promises_are_those_below_one(make_sources) -> None:
    frame = load_results(make_sources(alphas=(1.1, 3.0), seeds=(0,)))
    promised = dict(zip(zip(series_of(frame), frame["alpha"], strict=True), promise_of(frame),
                        strict=True))  # fmt: skip
    assert promised["projected_at_deployment:scpo", 1.1] == "prior, posterior"
    assert promised["projected_at_deployment:scpo", 3.0] == "posterior"
    failed = frame.iloc[:1].assign(certified=False, posterior_bound=np.nan)
    assert list(promise_of(failed)) == ["none"]


def test_the_reference_stays_ppos(make_sources) -> None:
    def faster(record: dict) -> dict:
        lucky = record["source"] == "scpo" and not record["projected"]
        return record | ({"mean_steps_to_goal": 1.0} if lucky else {})

    settings = aggregate(load_results(make_sources(change=faster)))
    plain = settings[(settings["source"] == "unconstrained") & ~settings["projected"]]
    plain = plain["mean_steps_to_goal"].item()
    assert STEPS.unconstrained(settings) == plain > 1.0


def test_fronts_and_the_first_sentence_ask_for_a_certified_prior_bound(make_sources) -> None:
    def faster(record: dict) -> dict:
        """SCPO is the best of all, and the very best is not projected."""
        if record["source"] != "scpo" or record["alpha"] == 1.0:
            return record
        return record | {"mean_steps_to_goal": 9.0 if record["alpha"] else 2.0}

    settings = aggregate(load_results(make_sources(change=faster)))
    certified = candidates(settings, "prior_bound")
    assert certified["projected"].all()
    assert not candidates(settings, "posterior_bound")["projected"].all()
    assert {"source", "projected"} <= set(pareto_table(settings).columns)
    answer = answer_study(settings, None)
    assert {one.method for one in answer.best} == {
        "projected_ppo", "projected_at_deployment",
        *(f"projected_at_deployment:{name}" for name in ("scpo", "presa", "imported")),
    }  # fmt: skip
    assert (
        "a task policy (SCPO) projected at deployment reaches the goal in 9.00" in answer.sentence
    )
    [note] = [note for note in answer.notes if "SCPO, as it is" in note]
    assert "no" in note.lower()
    assert "PreSa, as it is" in note


def test_the_base_is_one_point_whoever_projects_onto_it(make_sources) -> None:
    settings = aggregate(load_results(make_sources()))
    certified = candidates(settings, "prior_bound")
    assert len(certified[certified["alpha"] == 1.0]) == 1


def test_charts_have_a_line_and_a_marker_per_source(make_sources) -> None:
    frame = load_results(make_sources())
    settings = aggregate(frame)
    charts = build_charts(settings)
    projected = {f"projected_at_deployment:{name}" for name in ("scpo", "presa", "imported")}
    for chart in charts:
        assert projected <= {point.method for point in chart.points}
    for chart in charts[1:]:  # of the certified ones each source has one beside the base
        assert projected <= {line.method for line in chart.series}
    free = {point.label or point.lines[0] for point in charts[2].points if ":" in point.method}
    assert any("SCPO, as it is" in text for text in free)
    choices = {one["value"]: one["label"] for one in filter_choices(frame)["methods"]}
    assert choices["unprojected:presa"] == "PreSa, as it is"
    marks = {outline(series) for series in choices if ":" in series}
    assert len(marks) == 3  # a shape is a source; its colour says what it is held to
    assert outline("unprojected:unknown") == outline("projected_at_deployment:unknown")


def test_shares_of_speed_up_and_hypervolumes_are_per_source(make_sources) -> None:
    def targeted(record: dict) -> dict:
        steps = record["mean_steps_to_goal"]
        eps_max = 0.1 if record["alpha"] == 1.1 else None
        return record | {"mean_task_steps": steps, "eps_max": eps_max}

    folder = read_results(make_sources(change=targeted))
    frame = load_results(folder.path)
    table = speedup_table(folder, frame).set_index("kind")
    assert set(table.index) >= {
        "constant ratio, learned", "constant ratio, not trained under it",
        "constant ratio, SCPO, projected", "constant ratio, PreSa, projected",
    }  # fmt: skip
    assert (table["seeds"].dropna() == 3).all()
    own = frame[(frame["source"] == "scpo") & (frame["eps_max"] == 0.1)]
    found = table.loc["constant ratio, SCPO, projected", "mean_task_steps"]
    assert found == pytest.approx(own["mean_task_steps"].mean())
    volumes = hypervolume_table(aggregate(frame))
    keys = volumes[["risk_kind", "constraint", "source", "projected"]]
    assert not keys.duplicated().any()
    assert {"scpo", "presa", "imported", "unconstrained", "all"} <= set(keys["source"])


def test_studies_are_compared_source_by_source(make_sources) -> None:
    first = read_results(make_sources())
    second = read_results(make_sources(sources=("unconstrained", "scpo"), folder="second"))
    found = compare_studies(first, second)
    assert len(found.table) == 8
    assert (found.table["performance_difference"] == 0).all()
    assert found.verdict == "No difference can be shown."
    assert found.difference.value == 0
    assert any("PreSa" in name for name in found.only_first)
    assert not found.only_second


def test_mlflow_knows_the_source(make_sources) -> None:
    names = {}
    for record in read_results(make_sources(seeds=(0,))).records:
        assert params_of(record)["source"] == record["source"]
        names[series_of_row(record), record["alpha"]] = run_name(record)
    assert names["unprojected:scpo", None] == "SCPO, as it is · T 21 · s0"
    assert names["projected_at_deployment:scpo", 1.1] == "α = 1.1 · T 21 · s0 · SCPO, projected"
    assert names["projected_at_deployment", 1.1] == "α = 1.1 · T 21 · s0 · at deployment"
    assert names["unconstrained", None] == "unconstrained · T 21 · s0"


def test_the_report_shows_sources_only_where_there_are_some(make_sources, make_results) -> None:
    with_sources = make_sources()
    text = write_report(with_sources).read_text()
    assert "Where the task policies come from" in text
    assert 'href="#task-policies"' in text
    assert 'value="unprojected:scpo"' in text
    assert (with_sources / "task_policies.csv").exists()
    assert (with_sources / "figures" / "task_policies.svg").exists()
    plain: Path = make_results()
    (plain / "task_policies.csv").write_text("old")
    text = write_report(plain).read_text()
    assert "Where the task policies come from" not in text
    assert not (plain / "task_policies.csv").exists()
    assert not (plain / "figures" / "task_policies.svg").exists()


def test_selection_is_called_so_and_neither_projected_nor_as_it_is(make_sources) -> None:
    sources = ("projected_ppo", "unconstrained", *SELECTIONS, "scpo")
    frame = load_results(make_sources(sources=sources, alphas=(1.0, 1.1), seeds=(0,)))
    named = {series: series_text(series) for series in series_of(frame)}
    assert named["selection:critic"] == "Selection, critic"
    assert named["selection_unlimited:critic"] == "Selection, critic, unlimited"
    assert named["selection:critic_iterated"] == "Selection, iterated critic"
    assert named["selection:task_density"] == "Selection, task density"
    assert named["selection:projected_ppo_selection"] == "Selection, PPO on the index"
    assert named["projected_at_deployment:scpo"] == "SCPO, projected"
    chosen = {text for series, text in named.items() if is_selection(series)}
    assert len(chosen) == 2 * len(SELECTIONS)
    assert not any("projected" in text or "as it is" in text for text in chosen)
    settings = aggregate(frame)
    names = [setting_text(row) for _, row in settings.iterrows()]
    assert len(set(names)) == len(names)
    assert {"Selection, critic, unlimited", "Selection, iterated critic, α = 1.1"} <= set(names)
    marks = {outline(series) for series in named if ":" in series}
    assert len(marks) == len(SELECTIONS) + 1
    table = task_policy_table(frame, settings).set_index(["source", "projected"])["projection"]
    assert set(table["critic", True]) == {"at deployment"}
    assert set(table["projected_ppo_selection", True]) == {"in training and at deployment"}


def test_the_answer_and_mlflow_name_selection(make_sources) -> None:
    def faster(record: dict) -> dict:
        best = record["source"] == "critic_iterated" and record["alpha"] not in (None, 1.0)
        return record | ({"mean_steps_to_goal": 9.0} if best else {})

    folder = make_sources(sources=("projected_ppo", "critic_iterated"), change=faster)
    answer = answer_study(aggregate(load_results(folder)), None)
    assert "selection (iterated critic) reaches the goal in 9.00 steps" in answer.sentence
    [note] = [note for note in answer.notes if "under no constraint" in note]
    assert "Selection, iterated critic, unlimited" in note
    names = {run_name(record) for record in read_results(folder).records}
    assert "α = 1.1 · T 21 · s0 · Selection, iterated critic" in names
    assert "Selection, iterated critic, unlimited · T 21 · s0" in names


def test_what_a_choice_promises_is_told_on_the_page(make_sources) -> None:
    page = write_report(make_sources(sources=("projected_ppo", "critic"))).read_text()
    assert "Selection chooses one of M actions that the base draws" in page
    assert "in selection, M candidates are drawn from the base anew at every step" in page
    assert 'value="selection_unlimited:critic"' in page
    without = write_report(make_sources(sources=("projected_ppo", "scpo"), folder="other"))
    assert "candidates" not in without.read_text()
