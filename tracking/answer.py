"""The study's question answered in a sentence: what does each level of certified risk buy?

Honest by construction: only certified settings are asked, the gain is against the base policy at
the same T, and a gain within two standard errors is called none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tracking.completeness import nothing_certified
from tracking.kinds import is_base, is_paper, is_reference, is_unconstrained
from tracking.pareto import candidates
from tracking.performance import STEPS, Performance, performance_of
from tracking.task_policies import TITLES, parts_of_series, series_of, series_of_row
from tracking.wording import bound_text, constraint_text, method_text, seeds_text, setting_text

HEADLINE_LEVEL = 0.1
LEVELS = (0.025, 0.1, 1.0)
BUDGETS_GIVE_UP = (
    "A budget (pathwise, mean shift) promises the same risk for the whole episode and gives up the "
    "paper's uniform bound on every single step: no limit on how much likelier one action becomes, "
    "and from a history in which little was spent the risk ahead may be much more than the base's."
)


@dataclass(frozen=True)
class Best:
    """The best setting of a method that is certified at a level, beside the base policy.

    method: with the source of the task policy where it is not the method's own: its series.
    setting: its row in the settings; name: what it is called; constraint: the part of the name
    that is not the method.
    paper: whether it is under the paper's constant ratio.
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

    @property
    def budget(self) -> bool:
        """Whether it spends a budget over the path: then no single step is bounded by an α."""
        return not math.isfinite(self.alpha)

    @property
    def gain(self) -> float:
        """Steps saved, or return gained, against the base at the same T; NaN if it is unknown."""
        return self.measure.sign * (self.base_value - self.value)

    @property
    def margin(self) -> float:
        """Two standard errors of the gain, from scenarios alone (seeds taken as given)."""
        return 2 * math.hypot(self.error, self.base_error)

    @property
    def better(self) -> bool:
        """Whether the gain is more than its margin."""
        return self.gain > self.margin

    @property
    def cost(self) -> float:
        """Smaller is better: the value, or, where T makes values incomparable, the gain."""
        if self.measure.across_horizons or not math.isfinite(self.gain):
            return self.measure.sign * self.value
        return -self.gain


@dataclass(frozen=True)
class Answer:
    """The lead sentence, how that is achieved, what qualifies it, and the table behind it.

    detail: empty where nothing beats the base.
    best: per level and method, one under the paper's constraint and one under another.
    """

    sentence: str
    detail: str
    notes: tuple[str, ...]
    best: tuple[Best, ...]

    @property
    def leaders(self) -> tuple[Best, ...]:
        """The best of all kinds at each level."""
        levels = dict.fromkeys(one.level for one in self.best)
        found = (_leader([b for b in self.best if b.level == level]) for level in levels)
        return tuple(one for one in found if one is not None)


def answer_study(settings: pd.DataFrame, certificate: dict[str, Any] | None) -> Answer:
    """The answer from the settings (`aggregate`) of a study and its certificate."""
    targets = {float(t) for t in settings["eps_max"].dropna()}
    levels = sorted({*LEVELS, *targets})
    certified = candidates(settings, "prior_bound")
    certified = certified.assign(paper=is_paper(certified), series=series_of(certified))
    best = []
    for level in levels:
        allowed = certified[certified["prior_bound"] <= level]
        for _, rows in allowed.groupby(["series", "paper"], sort=False):
            tried = [_best(level, row, settings, certificate) for _, row in rows.iterrows()]
            best.append(min(tried, key=lambda one: one.cost))
    return Answer(*_sentence(best, settings), _notes(best, settings), tuple(best))


def _best(
    level: float, row: pd.Series, settings: pd.DataFrame, certificate: dict[str, Any] | None
) -> Best:
    measure = performance_of(settings)
    base = settings[is_base(settings) & (settings["horizon"] == row["horizon"])]
    # The same runs under another kind of constraint are no further evidence.
    base = base[np.isfinite(base[measure.mean])].drop_duplicates([measure.mean, measure.error])
    steps = None if certificate is None else certificate.get("mean_steps_to_goal")
    if len(base):
        # At α = 1 every method is the base policy: all its different runs at this T count.
        value = base[measure.mean].mean()
        error = math.sqrt((base[measure.error] ** 2).sum()) / len(base)
        source = "α = 1 at the same T"
    elif measure is STEPS and certificate is not None and steps is not None:
        value = steps
        spread = certificate.get("std_steps_to_goal")
        error = math.nan if spread is None else spread / math.sqrt(certificate["num_scenarios"])
        source = "certification scenarios, at their longest T"
    else:
        value, error, source = math.nan, math.nan, "unknown"
    return Best(
        level,
        int(row.name),  # type: ignore[call-overload]
        series_of_row(row),
        setting_text(row),
        constraint_text(row),
        bool(row["paper"]),
        float(row["alpha"]),
        int(row["horizon"]),
        int(row["seeds"]),
        float(row["prior_bound"]),
        float(row[measure.mean]),
        float(row[measure.error]),
        float(value),
        float(error),
        source,
        measure,
    )


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
        lead = f"{lead} At certified risk ≤ {HEADLINE_LEVEL:g} nothing tried beats the base."
        return lead, _detail(loose, best, settings)
    text = loose.measure.text
    if not math.isfinite(loose.base_value):
        return (
            f"The best certified setting {loose.measure.value_is.format(text(loose.value))}; the "
            "base policy's is not known: add α = 1 to the sweep to compare."
        ), ""
    return loose.measure.nothing_better.format(
        text(loose.value), text(loose.base_value), text(loose.margin)
    ), ""


def _leader(best: list[Best]) -> Best | None:
    """The best; the paper's constraint and Projected PPO, if within sampling error of it."""
    if not best:
        return None
    first = min(best, key=lambda b: b.cost)
    alike = [
        b for b in best if b is first or b.cost - first.cost <= 2 * math.hypot(b.error, first.error)
    ]
    return min(alike, key=lambda b: (not b.paper, b.method != "projected_ppo", b.cost))


def _achievement(lead: str, best: Best) -> str:
    text = best.measure.text
    value = best.measure.value_is.format(text(best.value))
    return f"{lead}, {_phrase(best.method)} {value} instead of the base's {text(best.base_value)}."


def _detail(best: Best, others: list[Best], settings: pd.DataFrame) -> str:
    """By which setting, what the paper's constraint achieves, and what no constraint does."""
    parts = [f"With {_with_article(best)} and T\u00a0=\u00a0{best.horizon}."]
    if not best.paper:
        parts.append(_papers(best, others))
    free = best.measure.unconstrained(settings[settings["horizon"] == best.horizon])
    if math.isfinite(free):
        text = best.measure.value_is.format(best.measure.text(free))
        parts.append(f"Without any constraint, and so without any promise, a policy {text}.")
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
        few = " Fewer than 3 seeds say little about another seed." if seeds.min() < 3 else ""
        notes.append(
            f"Means over {seeds_text(seeds)} per setting, of {best[0].measure.over}; the margin is "
            f"two standard errors over scenarios, seeds taken as given.{few}"
        )
    return tuple(notes)


def _shares(rows: pd.DataFrame) -> str:
    """From the smallest to the largest observed rate."""
    low, high = rows["empirical_violation_rate"].min(), rows["empirical_violation_rate"].max()
    return f"{low:.1%}" if f"{low:.1%}" == f"{high:.1%}" else f"{low:.1%} to {high:.1%}"
