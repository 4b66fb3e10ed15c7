"""The study's question answered in a sentence: what does each level of certified risk buy.

Honest by construction: none is answered of a study that the data refute, and what is said of a
gain rests on the tests of `sport_ray.tracking.analysis.speakers`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sport_ray.tracking.analysis.pareto import candidates
from sport_ray.tracking.analysis.representatives import representatives
from sport_ray.tracking.analysis.speakers import (
    HEADLINE_LEVEL,
    BaseAt,
    Best,
    best_of,
    judged,
    leader,
    primary,
)
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.completeness import nothing_certified
from sport_ray.tracking.results.intervals import CONFIDENCE, MIN_SEEDS
from sport_ray.tracking.results.kinds import is_reference, is_unconstrained
from sport_ray.tracking.results.labels import bound_text, confidence_text, seeds_text
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.task_policies import (
    TITLES,
    is_selection,
    parts_of_series,
    series_of,
    series_text,
)

LEVELS = (0.025, 0.1, 1.0)
BUDGETS_GIVE_UP = (
    "A budget promises the same risk for the whole episode and gives up the "
    "paper's uniform bound on every single step: no limit on how much likelier one action becomes, "
    "and from a history in which little was spent the risk ahead may be much more than the base's."
)
REFUTED = (
    "The data refute this study's promises: {} of {} settings violated more often than was "
    "promised. Nothing here is certified; see the cells marked refuted, and what differs from the "
    "certificate's world."
)


@dataclass(frozen=True)
class Answer:
    """The lead sentence, how that is achieved, what qualifies it, and the table behind it.

    detail: empty where nothing is shown to beat the base.
    best: per level and method, one under the paper's constraint and one under another.
    """

    sentence: str
    detail: str
    notes: tuple[str, ...]
    best: tuple[Best, ...]

    @property
    def leaders(self) -> tuple[Best, ...]:
        """The one that leads at each level."""
        levels = dict.fromkeys(one.level for one in self.best)
        found = (leader([b for b in self.best if b.level == level]) for level in levels)
        return tuple(one for one in found if one is not None)


def answer_study(
    settings: pd.DataFrame, certificate: dict[str, Any] | None, base_at: BaseAt | None = None
) -> Answer:
    """The answer from the settings (`aggregate`) of a study and its certificate.

    base_at: the base's time to goal at a T (`Results.base_at`), for a study without α = 1.
    """
    if is_refuted(settings):
        refuted = int(settings["refuted"].sum())
        return Answer(REFUTED.format(refuted, len(settings)), "", (), ())
    targets = {float(t) for t in settings["eps_max"].dropna()}
    certified = candidates(settings, "prior_bound")
    best = [
        best_of(level, row, settings, base_at)
        for level in sorted({*LEVELS, *targets})
        for _, row in representatives(certified, level).iterrows()
    ]
    best = judged(best)
    sentence, detail = _sentence(best, settings)
    if detail and certificate is not None:
        one = headline_of(best)
        assert one is not None
        detail = f"{_cost(one, settings, certificate)} {detail}"
    return Answer(sentence, detail, _notes(best, settings), tuple(best))


def _cost(best: Best, settings: pd.DataFrame, certificate: dict[str, Any]) -> str:
    """What the gain costs in certified risk, and how sure the base's certificate is.

    The base's bound is that of α = 1, where the study has it: in another world than the
    certificate's it is larger, as all bounds are.
    """
    base = settings[(settings["alpha"] == 1.0) & (settings["horizon"] == best.horizon)]
    known = base["prior_bound"].dropna()
    before = float(known.min()) if len(known) else base_bounds(certificate)[best.horizon]
    return (
        f"The bound on P(violation) rises from the base's {bound_text(before)} to "
        f"{bound_text(best.prior_bound)}, known before the policy acts; the base is certified with "
        f"confidence {_unbroken(confidence_text(certificate['beta']))}."
    )


def _sentence(best: list[Best], settings: pd.DataFrame) -> tuple[str, str]:
    """The lead sentence and its detail."""
    one = headline_of(best)
    if one is None:
        return nothing_certified(settings), ""
    if not one.better:
        return _nothing_shown(one), ""
    if one.level == HEADLINE_LEVEL:
        lead = _achievement(f"At certified risk ≤ {HEADLINE_LEVEL:g}", one)
        return lead, _detail(one, best, settings)
    lead = _achievement(f"At certified risk ≤ {bound_text(one.prior_bound)}", one)
    lead = f"{lead} At certified risk ≤ {HEADLINE_LEVEL:g} nothing tried is shown to beat it."
    return lead, _detail(one, best, settings)


def headline_of(best: Sequence[Best]) -> Best | None:
    """The setting that the lead sentence is about; None where nothing is certified.

    At a risk of `HEADLINE_LEVEL`, or else at any, the one that is shown to beat the base; without
    one, the setting that was to be asked first.
    """
    for level in (HEADLINE_LEVEL, 1.0):
        found = leader([one for one in best if one.level == level])
        if found is not None and found.better:
            return found
    return primary(list(best)) or leader([one for one in best if one.level == 1.0])


def _nothing_shown(one: Best) -> str:
    """What can be said where no gain is shown, and why it is not."""
    measure, text = one.measure, one.measure.text
    where = f"at risk ≤ {bound_text(one.prior_bound)} {_phrase(one.method)} ({one.constraint}, "
    where += f"T = {one.horizon}) {measure.comes_to.format(text(one.value))}"
    if one.is_base:
        return "Only the base policy itself is certified: nothing was tried that could be better."
    if not math.isfinite(one.base_value):
        return (
            f"Whether any certified setting does better is not known: {where}, the base policy's "
            "is not known at that T: add α = 1 to the sweep to compare."
        )
    if one.seeds < MIN_SEEDS:
        return (
            f"One seed cannot show whether a certified setting can {measure.to_beat}: {where}, the "
            f"base {text(one.base_value)}; run 3 seeds or more."
        )
    found = one.interval
    return (
        f"No certified setting is shown to {measure.to_beat}: {where}, the base "
        f"{text(one.base_value)} ({measure.gain} {text(found.value)}, {CONFIDENCE:.0%} interval "
        f"{text(found.low)} to {text(found.high)} over {one.seeds} seeds)."
    )


def _achievement(lead: str, best: Best) -> str:
    text, found = best.measure.text, best.interval
    value = best.measure.value_is.format(text(best.value))
    return (
        f"{lead}, {_phrase(best.method)} {value} instead of the base's {text(best.base_value)} "
        f"({best.measure.gain}: {text(found.value)}, {CONFIDENCE:.0%} interval "
        f"{text(found.low)} to {text(found.high)} over {best.seeds} seeds)."
    )


def _detail(best: Best, others: list[Best], settings: pd.DataFrame) -> str:
    """By which setting, what the paper's constraint achieves, and what no constraint does."""
    text = best.measure.text
    parts = [f"The policy keeps to {_with_article(best)} for T\u00a0=\u00a0{best.horizon} steps."]
    if not best.paper:
        parts.append(_papers(best, others))
    free = best.measure.unconstrained(settings[settings["horizon"] == best.horizon])
    if math.isfinite(free):
        reached = best.measure.value_is.format(text(free))
        parts.append(f"Without any constraint, and so without any promise, a policy {reached}.")
    return " ".join(parts)


def _papers(best: Best, others: list[Best]) -> str:
    """What the paper's constant ratio achieves at the same level, where another one leads."""
    paper = leader([b for b in others if b.paper and b.level == best.level])
    if paper is None:
        return "No constant ratio, the paper's constraint, is certified there."
    horizon = "" if paper.horizon == best.horizon else f", T\u00a0=\u00a0{paper.horizon}"
    achieved = paper.measure.value_is.format(paper.measure.text(paper.value))
    return (
        f"Under the paper's constant ratio ({_unbroken(paper.constraint)}{horizon}) "
        f"{_phrase(paper.method)} {achieved}."
    )


def _with_article(best: Best) -> str:
    """'α = 1.1', or 'a pathwise budget (ε_max = 0.1)'."""
    name, _, risk = _unbroken(best.constraint).rpartition(", ε_max")
    return (
        f"a {name} (ε_max{risk})"
        if name and not math.isfinite(best.alpha)
        else _unbroken(best.constraint)
    )


def _unbroken(text: str) -> str:
    return text.replace(" = ", "\u00a0=\u00a0").replace(" − ", "\u00a0−\u00a0")


def _phrase(series: str) -> str:
    method, source = parts_of_series(series)
    if method == "projected_at_deployment":
        trained = f"a task policy ({TITLES.get(source, source)})" if source else ""
        return f"{trained or 'a pre-trained task policy'} projected at deployment"
    if is_selection(series):
        return f"selection ({series_text(series).removeprefix('Selection, ')})"
    return series_text(series)


def _notes(best: list[Best], settings: pd.DataFrame) -> tuple[str, ...]:
    notes = []
    free = settings[is_unconstrained(settings) & (settings["seeds"] > 0)]
    reference = free[is_reference(free)]
    if len(reference):
        notes.append(
            f"The unconstrained policy has no certificate: it violated in {_shares(reference)} of "
            "its evaluation scenarios."
        )
    others = free[~is_reference(free)]
    if len(others):
        found = [
            f"{series_text(str(series))}: {_shares(rows)}"
            for series, rows in others.groupby(series_of(others), sort=False)
        ]
        notes.append(
            "No policy that acts under no constraint has a prior bound; violations in "
            f"evaluation scenarios: {'; '.join(found)}."
        )
    if any(b.budget for b in best):
        notes.append(BUDGETS_GIVE_UP)
    if best:
        seeds = pd.Series([b.seeds for b in best])
        notes.append(
            f"Means over {seeds_text(seeds)} per setting, of {best[0].measure.over}. The setting "
            "that speaks for a level is the most permissive one certified there, whatever it "
            f"achieved; 'shown': one-sided t-tests over seeds, Holm's correction, at most "
            "5% in all. Three seeds show large gains, more seeds smaller ones."
        )
    return tuple(notes)


def _shares(rows: pd.DataFrame) -> str:
    """From the smallest to the largest observed rate."""
    low, high = rows["empirical_violation_rate"].min(), rows["empirical_violation_rate"].max()
    return f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
