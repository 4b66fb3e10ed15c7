"""The study's question answered in a sentence: what does each level of certified risk buy?

Honest by construction. Only certified settings are asked, and none of a study that the data refute.
Which setting speaks for a level is fixed by its promise alone
(`sport_ray.tracking.analysis.representatives`), never by its performance, so that no winner's curse
is in its numbers. The gain is against the base policy at the same T, with the variance over seeds;
it is called shown where a one-sided t-test says so after Holm's correction over all settings that
speak: in at most 5% of studies in which nothing is gained is any called so. Proof and power:
docs/results-table.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sport_ray.tracking.analysis.pareto import candidates
from sport_ray.tracking.analysis.representatives import representatives
from sport_ray.tracking.results.base_steps import BaseSteps
from sport_ray.tracking.results.completeness import nothing_certified
from sport_ray.tracking.results.intervals import CONFIDENCE, MIN_SEEDS, Estimate, holm, with_error
from sport_ray.tracking.results.kinds import is_base, is_reference, is_unconstrained
from sport_ray.tracking.results.labels import (
    bound_text,
    constraint_text,
    method_text,
    seeds_text,
    setting_text,
)
from sport_ray.tracking.results.performance import STEPS, Performance, performance_of
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.task_policies import (
    TITLES,
    parts_of_series,
    series_of,
    series_of_row,
)

HEADLINE_LEVEL = 0.1
LEVELS = (0.025, 0.1, 1.0)
SIGNIFICANCE = 0.04
"""Of all tests of a study together; below the 5% promised, as seeds are only nearly normal."""
PRIMARY_WEIGHT = 0.9
"""Share of it for the setting that leads; the other settings divide the rest (Holm, weighted)."""
BUDGETS_GIVE_UP = (
    "A budget (pathwise, mean shift) promises the same risk for the whole episode and gives up the "
    "paper's uniform bound on every single step: no limit on how much likelier one action becomes, "
    "and from a history in which little was spent the risk ahead may be much more than the base's."
)
REFUTED = (
    "The data refute this study's promises: {} of {} settings violated more often than was "
    "promised. Nothing here is certified; see the cells marked refuted, and what differs from the "
    "certificate's world."
)
BaseAt = Callable[[int], BaseSteps | None]


@dataclass(frozen=True)
class Best:
    """The setting that speaks for a method at a level of certified risk, beside the base policy.

    method: with the source of the task policy where it is not the method's own: its series.
    setting: its row in the settings; name: what it is called; constraint: the part of the name
    that is not the method.
    paper: whether it is under the paper's constant ratio.
    error: of the mean, from the spread over seeds, never below what scenarios alone leave; NaN
    from one seed. base_error: of the base's mean, over its scenarios.
    p_adjusted: of 'no gain', one-sided, after Holm's correction; NaN without a test.
    """

    level: float
    setting: int
    method: str
    name: str
    constraint: str
    paper: bool
    alpha: float
    horizon: int
    seeds: int
    prior_bound: float
    value: float
    error: float
    base_value: float
    base_error: float
    base_source: str
    measure: Performance = STEPS
    p_adjusted: float = math.nan

    @property
    def budget(self) -> bool:
        """Whether it spends a budget over the path: then no single step is bounded by an α."""
        return not math.isfinite(self.alpha)

    @property
    def is_base(self) -> bool:
        """Whether it is the base policy itself, which no gain can be expected of."""
        return self.alpha == 1.0

    @property
    def gain(self) -> float:
        """Steps saved, or return gained, against the base at the same T; NaN if it is unknown."""
        return self.measure.sign * (self.base_value - self.value)

    @property
    def gain_error(self) -> float:
        """Standard error of the gain."""
        return math.hypot(self.error, self.base_error)

    @property
    def interval(self) -> Estimate:
        """The gain with its 95% t-interval over seeds, pointwise.

        The base's error counts in full while the degrees of freedom are those of the seeds alone:
        never too short, whatever the two variances (Mickey & Brown 1966).
        """
        return with_error(self.gain, self.gain_error, self.seeds - 1)

    @property
    def p_value(self) -> float:
        """One-sided, of 'no gain', unadjusted; NaN from one seed or without a base."""
        error = self.gain_error
        if self.seeds < MIN_SEEDS or self.is_base or not (error > 0 and math.isfinite(self.gain)):
            return math.nan
        return float(stats.t.sf(self.gain / error, self.seeds - 1))

    @property
    def better(self) -> bool:
        """Whether the gain is shown, all settings that speak considered."""
        return self.p_adjusted <= SIGNIFICANCE

    @property
    def cost(self) -> float:
        """Smaller is better: the value, or, where T makes values incomparable, the gain."""
        if self.measure.across_horizons or not math.isfinite(self.gain):
            return self.measure.sign * self.value
        return -self.gain


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
        found = (_leader([b for b in self.best if b.level == level]) for level in levels)
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
        _best(level, row, settings, base_at)
        for level in sorted({*LEVELS, *targets})
        for _, row in representatives(certified, level).iterrows()
    ]
    best = judged(best)
    return Answer(*_sentence(best, settings), _notes(best, settings), tuple(best))


def judged(best: list[Best]) -> list[Best]:
    """With p-values by Holm's method over the settings that speak, each counted once."""
    family = list({one.setting: one for one in best if math.isfinite(one.p_value)}.values())
    lead = _primary(best)
    others = sum(1 for one in family if lead is None or one.setting != lead.setting)
    weights = [
        PRIMARY_WEIGHT if lead is not None and one.setting == lead.setting
        else (1.0 - PRIMARY_WEIGHT) / others
        for one in family
    ]  # fmt: skip
    adjusted = holm([one.p_value for one in family], weights)
    found = {one.setting: float(p) for one, p in zip(family, adjusted, strict=True)}
    return [replace(one, p_adjusted=found.get(one.setting, math.nan)) for one in best]


def _primary(best: list[Best]) -> Best | None:
    """Which setting the study is asked about first: known before any performance is."""
    for level in (HEADLINE_LEVEL, 1.0):
        found = [one for one in best if one.level == level and not one.is_base]
        if found:
            return found[0]  # representatives come in order
    return None


def _best(level: float, row: pd.Series, settings: pd.DataFrame, base_at: BaseAt | None) -> Best:
    measure = performance_of(settings)
    horizon = int(row["horizon"])
    seen = float(row[measure.seed_error])
    return Best(
        level,
        int(row.name),  # type: ignore[call-overload]
        series_of_row(row),
        setting_text(row),
        constraint_text(row),
        bool(row["paper"]),
        float(row["alpha"]),
        horizon,
        int(row["seeds"]),
        float(row["prior_bound"]),
        float(row[measure.mean]),
        # Seeds that came out alike by chance are no evidence of no spread at all.
        max(seen, float(np.nan_to_num(row[measure.error]))) if math.isfinite(seen) else math.nan,
        *_base_there(settings, horizon, measure, base_at),
        measure,
    )


def _base_there(
    settings: pd.DataFrame, horizon: int, measure: Performance, base_at: BaseAt | None
) -> tuple[float, float, str]:
    """The base's mean at this T, its standard error over scenarios, and where it is from."""
    base = settings[is_base(settings) & (settings["horizon"] == horizon)]
    # The same runs under another kind of constraint are no further evidence.
    base = base[np.isfinite(base[measure.mean])].drop_duplicates([measure.mean, measure.error])
    if len(base):
        # At α = 1 every method is the base policy: all its different runs at this T count.
        error = math.sqrt((base[measure.error] ** 2).sum(skipna=False)) / len(base)
        return float(base[measure.mean].mean()), error, "α = 1 at the same T"
    found = base_at(horizon) if measure is STEPS and base_at is not None else None
    if found is None:
        return math.nan, math.nan, "unknown"
    return found.mean, found.error, "certification scenarios, cut at the same T"


def _sentence(best: list[Best], settings: pd.DataFrame) -> tuple[str, str]:
    """The lead sentence and its detail."""
    if not best:
        return nothing_certified(settings), ""
    tight = _leader([b for b in best if b.level == HEADLINE_LEVEL])
    loose = _leader([b for b in best if b.level == 1.0])
    assert loose is not None  # certified means a prior bound below 1
    if tight is not None and tight.better:
        lead = _achievement(f"At certified risk ≤ {HEADLINE_LEVEL:g}", tight)
        return lead, _detail(tight, best, settings)
    if loose.better:
        lead = _achievement(f"At certified risk ≤ {bound_text(loose.prior_bound)}", loose)
        lead = f"{lead} At certified risk ≤ {HEADLINE_LEVEL:g} nothing tried is shown to beat it."
        return lead, _detail(loose, best, settings)
    return _nothing_shown(_primary(best) or loose), ""


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


def _leader(best: list[Best]) -> Best | None:
    """The best of those whose gain is shown; the paper's, if it is within error of that.

    Where none is shown, the first in the order that was fixed beforehand.
    """
    shown = [one for one in best if one.better]
    if not shown:
        return next((one for one in best if not one.is_base), best[0] if best else None)
    first = min(shown, key=lambda b: b.cost)
    alike = [
        b
        for b in shown
        if b is first or b.cost - first.cost <= 2 * math.hypot(b.error, first.error)
    ]
    return min(alike, key=lambda b: (not b.paper, b.method != "projected_ppo", b.cost))


def _achievement(lead: str, best: Best) -> str:
    text = best.measure.text
    value = best.measure.value_is.format(text(best.value))
    return f"{lead}, {_phrase(best.method)} {value} instead of the base's {text(best.base_value)}."


def _detail(best: Best, others: list[Best], settings: pd.DataFrame) -> str:
    """By which setting, what the paper's constraint achieves, and what no constraint does."""
    found, text = best.interval, best.measure.text
    gain = best.measure.gain
    parts = [
        f"With {_with_article(best)} and T\u00a0=\u00a0{best.horizon}.",
        f"{gain[0].upper()}{gain[1:]}: {text(found.value)}, {CONFIDENCE:.0%} interval "
        f"{text(found.low)} to {text(found.high)} over {best.seeds} seeds.",
    ]
    if not best.paper:
        parts.append(_papers(best, others))
    free = best.measure.unconstrained(settings[settings["horizon"] == best.horizon])
    if math.isfinite(free):
        reached = best.measure.value_is.format(text(free))
        parts.append(f"Without any constraint, and so without any promise, a policy {reached}.")
    return " ".join(parts)


def _papers(best: Best, others: list[Best]) -> str:
    """What the paper's constant ratio achieves at the same level, where another one leads."""
    paper = _leader([b for b in others if b.paper and b.level == best.level])
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
    return f"a {name} (ε_max{risk})" if name and best.budget else _unbroken(best.constraint)


def _unbroken(text: str) -> str:
    return text.replace(" = ", "\u00a0=\u00a0")


def _phrase(series: str) -> str:
    method, source = parts_of_series(series)
    if method == "projected_at_deployment":
        trained = f"a task policy ({TITLES.get(source, source)})" if source else ""
        return f"{trained or 'a pre-trained task policy'} projected at deployment"
    return method_text(series)


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
            f"{method_text(str(series))}: {_shares(rows)}"
            for series, rows in others.groupby(series_of(others), sort=False)
        ]
        notes.append(
            "No policy that is not projected has a prior bound; violations in evaluation "
            f"scenarios: {'; '.join(found)}."
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
