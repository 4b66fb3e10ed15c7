"""A study's answer for a reader: sentence, settings with their promises, and what these rest on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sport_ray.tracking.analysis.answer import answer_study
from sport_ray.tracking.analysis.speakers import Best
from sport_ray.tracking.report.rows import without_repeats
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
    best = without_repeats(answer.best)
    kinds = dict.fromkeys(str(settings["constraint"][one.setting]) for one in best)
    facts = [("theorem", _theorem(kind)) for kind in kinds]
    if certificate is not None:
        facts += [
            ("confidence", _confidence(certificate, kinds)),
            ("property", str(certificate["property"])),
            ("environment", str(certificate["env_id"])),
            ("certificate", str(certificate["digest"])),
        ]
    return View(
        title,
        tuple(one for one in sentences if one),
        table=_table(best) if best else None,
        facts=tuple(facts),
        assumptions=RESTS_ON if best else (),
        warning=headline(folder.refutations),
    )


def _theorem(kind: str) -> str:
    found = class_of(kind)
    if found is None:
        return f"{kind}: its module is not imported here"
    return ": ".join(filter(None, (found.title, found.formula)))


def _confidence(certificate: dict[str, Any], kinds: Iterable[str]) -> str:
    """What the prior bounds hold with, and which of them hold together."""
    which = "for all T at once" if certificate.get("choice") is None else "for the chosen T"
    alone = [one.title for one in map(class_of, kinds) if one is not None and not one.simultaneous]
    each = f"; each bound by itself of: {', '.join(alone)}" if alone else ""
    return f"1 − β, β = {certificate['beta']:g}, {which} and all settings together{each}"


def _table(best: Sequence[Best]) -> Table:
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
