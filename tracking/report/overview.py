"""The first screen: what the task is, what was certified, and how much of the study is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from sport_ray.errors import UserError
from sport_ray.properties.words import in_words
from sport_ray.tracking.analysis.answer import Answer, headline_of
from sport_ray.tracking.analysis.speakers import Best, leader
from sport_ray.tracking.report.scene import Scene, scene_of
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.completeness import Completeness
from sport_ray.tracking.results.kinds import PAPER, class_of
from sport_ray.tracking.results.labels import bound_text, confidence_text
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.task_policies import series_of, series_text


class Fact(NamedTuple):
    """A line of the first screen: the key of its term (`report.terms`), its name, and its value."""

    term: str
    name: str
    value: str


@dataclass(frozen=True)
class Overview:
    """The page's head.

    words, formula: the property; words are '' where it cannot be read. horizons: the study's T in
    words. counts: how many cells are planned, finished, failed, missing, unreadable.
    """

    words: str
    formula: str
    environment: str
    horizons: str
    facts: tuple[Fact, ...]
    counts: tuple[tuple[str, int], ...]
    seeds: str
    scene: Scene | None


def overview_of(
    folder: Results,
    frame: pd.DataFrame,
    settings: pd.DataFrame,
    answer: Answer,
    completeness: Completeness,
    cells: dict[int, list[str]],
) -> Overview:
    """The first screen of a result folder. cells: ids of the finished cells of each setting."""
    certificate, study = folder.certificate or {}, folder.study
    environment = certificate.get("env_id") or (study.get("environment") or {}).get("id", "")
    formula = str(certificate.get("property") or study.get("property") or "")
    horizons = sorted(int(one) for one in frame["horizon"].dropna().unique())
    return Overview(
        _words(formula),
        formula,
        str(environment),
        _listed([str(one) for one in horizons]),
        tuple(_facts(folder, frame, settings, answer, horizons)),
        _counts(completeness),
        _seeds(frame),
        scene_of(folder, _most_telling(answer, cells)),
    )


def brief(best: Sequence[Best]) -> set[int]:
    """Places of the rows that say most: of each risk and method the one that leads, not the base.

    Not of a risk at which a setting leads that does so at a smaller one: it buys nothing. All rows
    where only the base is certified.
    """
    levels: dict[float, dict[str, list[Best]]] = {}
    for one in best:
        levels.setdefault(one.level, {}).setdefault(one.method, []).append(one)
    kept: list[Best] = []
    led: set[int] = set()
    for _, methods in sorted(levels.items()):
        first = leader([one for rows in methods.values() for one in rows])
        if first is None or first.setting in led:
            continue
        led.add(first.setting)
        chosen = [leader(rows) for rows in methods.values()]
        kept += [one for one in chosen if one is not None and not one.is_base]
    return {i for i, one in enumerate(best) if not kept or any(one is other for other in kept)}


def _words(formula: str) -> str:
    try:
        words = in_words(formula) if formula else ""
    except UserError:  # of a later version
        return ""
    return words[:1].upper() + words[1:]


def _facts(
    folder: Results,
    frame: pd.DataFrame,
    settings: pd.DataFrame,
    answer: Answer,
    horizons: list[int],
) -> list[Fact]:
    facts = []
    certificate: dict[str, Any] | None = folder.certificate
    if answer.best:
        promise = "upper bound on P(violation), known before the policy acts"
        facts.append(Fact("certified", "Certified risk", promise))
    if certificate is not None:
        facts.append(Fact("base", "Base policy", base_text(certificate, horizons)))
    if formulas := _formulas(settings, answer):
        facts.append(Fact("prior", "Prior bound", formulas))
    if budget := _budget(frame, answer):
        facts.append(Fact("budget", "Training budget", budget))
    return facts


def _formulas(settings: pd.DataFrame, answer: Answer) -> str:
    """By which a promise is computed: of the constraint that leads, and of the paper's."""
    promised = {str(kind) for kind in settings.loc[settings["prior_bound"].notna(), "constraint"]}
    first = headline_of(answer.best)
    lead = [] if first is None else [str(settings.loc[first.setting, "constraint"])]
    classes = [class_of(kind) for kind in dict.fromkeys([*lead, PAPER]) if kind in promised]
    known = [one for one in classes if one is not None and one.formula]
    if len(promised) == 1:
        return "; ".join(one.formula for one in known)
    return "; ".join(f"{one.title}: {one.formula}" for one in known)


def _budget(frame: pd.DataFrame, answer: Answer) -> str:
    """Environment steps of a run of the method that leads; of all where none does."""
    trained = frame[frame["train_env_steps"].fillna(0) > 0]
    lead = next((one.method for one in answer.leaders), None)
    mine = trained[series_of(trained) == lead] if lead else trained
    if mine.empty:
        return ""
    steps = mine["train_env_steps"].astype(float)
    low, high = f"{steps.min():,.0f}", f"{steps.max():,.0f}"
    of = f" ({series_text(lead)})" if lead else ""
    return f"{low if low == high else f'{low} to {high}'} environment steps a policy{of}"


def base_text(certificate: dict[str, Any], horizons: list[int]) -> str:
    """What a base was certified with, at these T: bound, episodes and confidence."""
    bounds = base_bounds(certificate)
    found = [f"{bound_text(bounds[one])} at T = {one}" for one in horizons if one in bounds]
    shown = found if len(found) < 4 else [found[0], "…", found[-1]]
    return (
        f"P(violation) ≤ ε = {', '.join(shown)}, from {certificate['num_scenarios']:,} episodes, "
        f"confidence {confidence_text(certificate['beta'])}"
    )


def _counts(state: Completeness) -> tuple[tuple[str, int], ...]:
    counts = (
        ("planned", state.planned),
        ("finished", state.finished),
        ("failed", state.failed),
        ("missing", state.missing),
        ("unreadable", len(state.unreadable)),
    )
    return tuple((name, count) for name, count in counts if count or name != "unreadable")


def _seeds(frame: pd.DataFrame) -> str:
    count = int(frame["seed"].nunique())
    return f"{count} seed{'' if count == 1 else 's'}"


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts) if len(texts) < 7 else f"{texts[0]}, {texts[1]} … {texts[-1]}"


def _most_telling(answer: Answer, cells: dict[int, list[str]]) -> list[str]:
    """Cells in the order in which their trajectories are asked for: those that lead first."""
    first = [one.setting for one in answer.leaders]
    order = [*first, *(setting for setting in cells if setting not in set(first))]
    return [cell for setting in order for cell in cells.get(setting, ())]
