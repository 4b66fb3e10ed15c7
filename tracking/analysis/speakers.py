"""Which settings speak for a study's levels of risk, what they gain, and which gain is shown.

Only certified settings are asked. Which one speaks for a level is fixed by its promise alone
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

import numpy as np
import pandas as pd
from scipy import stats

from sport_ray.tracking.results.base_steps import BaseSteps
from sport_ray.tracking.results.intervals import MIN_SEEDS, Estimate, holm, with_error
from sport_ray.tracking.results.kinds import class_of, is_base
from sport_ray.tracking.results.labels import constraint_text, setting_text
from sport_ray.tracking.results.performance import STEPS, Performance, performance_of
from sport_ray.tracking.results.task_policies import series_of_row

HEADLINE_LEVEL = 0.1
SIGNIFICANCE = 0.04
"""Of all tests of a study together; below the 5% promised, as seeds are only nearly normal."""
PRIMARY_WEIGHT = 0.9
"""Share of it for the setting that leads; the other settings divide the rest (Holm, weighted)."""
BaseAt = Callable[[int], BaseSteps | None]


@dataclass(frozen=True)
class Best:
    """The setting that speaks for a method at a level of certified risk, beside the base policy.

    method: with the source of the task policy where it is not the method's own: its series.
    setting: its row in the settings; name: what it is called; constraint: the part of the name
    that is not the method.
    paper: whether it is under the paper's constant ratio. budget: whether it spends one over the
    path, so that no single step is bounded.
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
    budget: bool
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


def judged(best: list[Best]) -> list[Best]:
    """With p-values by Holm's method over the settings that speak, each counted once."""
    family = list({one.setting: one for one in best if math.isfinite(one.p_value)}.values())
    lead = primary(best)
    others = sum(1 for one in family if lead is None or one.setting != lead.setting)
    weights = [
        PRIMARY_WEIGHT if lead is not None and one.setting == lead.setting
        else (1.0 - PRIMARY_WEIGHT) / others
        for one in family
    ]  # fmt: skip
    adjusted = holm([one.p_value for one in family], weights)
    found = {one.setting: float(p) for one, p in zip(family, adjusted, strict=True)}
    return [replace(one, p_adjusted=found.get(one.setting, math.nan)) for one in best]


def primary(best: list[Best]) -> Best | None:
    """Which setting the study is asked about first: known before any performance is."""
    for level in (HEADLINE_LEVEL, 1.0):
        found = [one for one in best if one.level == level and not one.is_base]
        if found:
            return found[0]  # representatives come in order
    return None


def best_of(level: float, row: pd.Series, settings: pd.DataFrame, base_at: BaseAt | None) -> Best:
    """The setting of this row (of `representatives`), with what it gained over the base."""
    measure = performance_of(settings)
    horizon, kind = int(row["horizon"]), class_of(row["constraint"])
    seen, least = (float(row[measure.column(n)]) for n in ("seed_error", "standard_error"))
    return Best(
        level,
        int(row.name),  # type: ignore[call-overload]
        series_of_row(row),
        setting_text(row),
        constraint_text(row),
        bool(row["paper"]),
        kind is not None and kind.state_size > 0,
        float(row["alpha"]),
        horizon,
        int(row["seeds"]),
        float(row["prior_bound"]),
        float(row[measure.mean]),
        # Seeds that came out alike by chance are no evidence of no spread at all.
        max(seen, float(np.nan_to_num(least))) if math.isfinite(seen) else math.nan,
        *_base_there(settings, horizon, measure, base_at),
        measure,
    )


def _base_there(
    settings: pd.DataFrame, horizon: int, measure: Performance, base_at: BaseAt | None
) -> tuple[float, float, str]:
    """The base's mean at this T, its standard error over scenarios, and where it is from."""
    base = settings[is_base(settings) & (settings["horizon"] == horizon)]
    # The same runs under another kind of constraint are no further evidence.
    of_mean = measure.column("standard_error")
    base = base[np.isfinite(base[measure.mean])].drop_duplicates([measure.mean, of_mean])
    if len(base):
        # At α = 1 every method is the base policy: all its different runs at this T count.
        error = math.sqrt((base[of_mean] ** 2).sum(skipna=False)) / len(base)
        return float(base[measure.mean].mean()), error, "α = 1 at the same T"
    found = base_at(horizon) if measure is STEPS and base_at is not None else None
    if found is None:
        return math.nan, math.nan, "unknown"
    return found.mean, found.error, "certification scenarios, cut at the same T"


def leader(best: list[Best]) -> Best | None:
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
