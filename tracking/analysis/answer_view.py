"""A study's answer for a reader: sentence, settings with their promises, and what these rest on."""

from __future__ import annotations

import math

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.speakers import Best
from sport_ray.tracking.results import labels
from sport_ray.tracking.results.completeness import completeness_of
from sport_ray.tracking.results.kinds import class_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import headline
from sport_ray.tracking.results.statistics import aggregate
from sport_ray.tracking.results.table import table_of
from sport_ray.view import Table, View

RESTS_ON = (
    "the base's certificate: this base policy, environment, initial states and property",
    "each policy as it was projected: sampled, and within its constraint at every step",
    "episodes of at most T steps; over n episodes the risks add up",
)


def answer_view(folder: Results) -> View:
    """What each level of certified risk buys, in a result folder; what is not there is said."""
    title = f"Study {folder.name}"
    state = completeness_of(folder)
    if not state.finished:
        return View(title, (state.sentence or "No cell has finished yet.",))
    settings = aggregate(table_of(folder))
    answer = answer_study(settings, folder.certificate, folder.base_at)
    sentences = (state.sentence, answer.sentence, answer.detail, *answer.notes)
    certificate = folder.certificate
    facts: list[tuple[str, str]] = []
    if answer.best:
        kinds = dict.fromkeys(str(settings["constraint"][one.setting]) for one in answer.best)
        facts += [("theorem", _theorem(kind)) for kind in kinds]
    if certificate is not None:
        facts += [
            ("confidence", f"1 − β, β = {certificate['beta']:g}, for all T of the certificate"),
            ("property", str(certificate["property"])),
            ("environment", str(certificate["env_id"])),
            ("certificate", str(certificate["digest"])),
        ]
    return View(
        title,
        tuple(one for one in sentences if one),
        table=_table(answer.best) if answer.best else None,
        facts=tuple(facts),
        assumptions=RESTS_ON if answer.best else (),
        warning=headline(folder.refutations),
    )


def _theorem(kind: str) -> str:
    found = class_of(kind)
    if found is None:
        return f"{kind}: its module is not imported here"
    return ": ".join(filter(None, (found.title, found.formula)))


def _table(best: tuple[Best, ...]) -> Table:
    measure = best[0].measure
    head = ("certified risk ≤", "setting", "T", "prior bound", measure.short, "base",
            f"{measure.gain} [95%]", f"shown {measure.better}")  # fmt: skip
    return Table(head, [_row(one) for one in best])


def _row(one: Best) -> tuple[str, ...]:
    text, interval = one.measure.text, one.interval
    gain = text(one.gain)
    if not math.isnan(interval.low):
        gain += f" [{text(interval.low)}, {text(interval.high)}]"
    return (
        f"{one.level:g}",
        one.name,
        str(one.horizon),
        labels.bound_text(one.prior_bound),
        text(one.value),
        text(one.base_value),
        gain,
        "yes" if one.better else "no",
    )
