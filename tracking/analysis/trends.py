"""The paper's claims about α as statements, each with a test over training seeds and its p-value.

- Under one method the time to goal falls, and the violation rate rises, as α grows: Page's test
  for ordered alternatives (Page 1963, JASA 58), seeds as blocks, values of α as treatments. Under
  the null hypothesis every order within a seed is as likely as every other; with ties p is from
  permutations within seeds.
- At one α, Projected PPO violates less often than a policy that was trained without a bound and
  is projected at deployment: the sign-flip permutation test of the mean difference, paired by seed
  (exact up to 16 seeds); under the null hypothesis the signs of the differences are fair coins.

The p-values are one-sided, for what the paper claims, and adjusted by Holm's method over all
statements of a study: with probability at least 95% no statement is called shown whose null
hypothesis holds. What is shown is an association with the order of α, which need not be monotone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from sport_ray.tracking.results.intervals import estimate, holm
from sport_ray.tracking.results.kinds import is_paper
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.task_policies import series_of

Array = NDArray[np.float64]
LEVEL = 0.05
MIN_SEEDS = 3
PERMUTATIONS = 20_000
MIN_ALPHAS = 3
LARGE_ALPHA = 5.0
"""From here on the two methods differ in the paper's figures."""
COLUMNS = {
    "statement": "what the paper claims",
    "horizon": "T, steps",
    "method": "the method, or both where they are compared",
    "alphas": "the values of α that it is about",
    "seeds": "training seeds",
    "estimate": "slope per unit of ln α (mean over seeds), or the mean difference of rates",
    "low": "95% t-interval over seeds, pointwise",
    "high": "its upper end",
    "unit": "of the estimate",
    "test": "the test",
    "p_value": "one-sided, unadjusted",
    "p_adjusted": "Holm's adjustment over all statements of the study",
    "shown": "whether p_adjusted is at most 0.05",
}
"""Columns of the table, with their meaning."""
METHODS = ("projected_ppo", "projected_at_deployment")
_CLAIMS = (
    ("time to goal falls as α grows", "mean_steps_to_goal", -1.0, "steps per unit of ln α"),
    ("violation rate rises as α grows", "empirical_violation_rate", 1.0, "per unit of ln α"),
)


def trend_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per statement that the study's cells can speak to; columns ``COLUMNS``.

    Cells of the paper's constraint with α given (not derived from a risk), seeds that have all of
    the values of α. Empty with fewer than three such seeds or three values of α.
    """
    done = frame[(frame["status"] == "finished") & is_paper(frame) & frame["eps_max"].isna()]
    done = done.assign(method=series_of(done))
    done = done[done["method"].isin(METHODS)]
    rows: list[dict[str, Any]] = []
    for part in parts_of(done):
        group = part.of(done)
        for method in METHODS:
            cells = group[group["method"] == method]
            for statement, column, sign, unit in _CLAIMS:
                row = _trend(cells.pivot_table(index="seed", columns="alpha", values=column), sign)
                if row is not None:
                    named = {"statement": statement, "horizon": part.horizon, "method": method}
                    rows.append(named | {"unit": unit} | row)
        rows += [{"horizon": part.horizon, **row} for row in _safer(group)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if not table.empty:
        table["p_adjusted"] = holm(table["p_value"].to_numpy(np.float64))
        table["shown"] = table["p_adjusted"] <= LEVEL
    return table


def _trend(table: pd.DataFrame, sign: float) -> dict[str, Any] | None:
    """Page's test of seeds × α for an order that rises (sign 1) or falls (−1) with α."""
    table = table.dropna()
    seeds, alphas = table.shape
    if seeds < MIN_SEEDS or alphas < MIN_ALPHAS:
        return None
    values = sign * table.to_numpy(np.float64)
    log_alpha = np.log(np.asarray(table.columns, dtype=np.float64))
    slopes = sign * np.polyfit(log_alpha, values.T, 1)[0]
    return {
        "alphas": _alphas(table.columns),
        "seeds": seeds,
        **dict(zip(("estimate", "low", "high"), estimate(slopes), strict=True)),
        "test": "Page's trend test",
        "p_value": page_p_value(values),
    }


def page_p_value(values: Array) -> float:
    """P(Page's L at least as large) if every order within a seed is as likely as every other.

    values: seeds × α, (n, k), for an order that rises along a row. Without ties by scipy, exact or
    nearly so. With ties its normal approximation rejects too often (rates of violations tie at 0),
    so the values of each seed are permuted instead: exact at any level, however many tie.
    """
    if all(len(np.unique(row)) == len(row) for row in values):
        return float(stats.page_trend_test(values).pvalue)
    ranks = stats.rankdata(values, axis=1)
    order = np.arange(1, values.shape[1] + 1)
    observed = float((ranks @ order).sum())
    random = np.random.default_rng(values.shape)
    drawn = np.zeros(PERMUTATIONS)
    for row in ranks:
        drawn += random.permuted(np.tile(row, (PERMUTATIONS, 1)), axis=1) @ order
    extreme = int((drawn >= observed - 1e-9).sum())
    return (1 + extreme) / (1 + PERMUTATIONS)  # the observed order is one of the draws


def _safer(group: pd.DataFrame) -> list[dict[str, Any]]:
    """Projected PPO against projection at deployment, α by α from ``LARGE_ALPHA`` on."""
    rates = group.pivot_table(
        index="seed", columns=["method", "alpha"], values="empirical_violation_rate"
    )
    rows = []
    if not set(METHODS) <= set(rates.columns.get_level_values(0)):
        return []
    for alpha in sorted(set(rates[METHODS[0]]) & set(rates[METHODS[1]])):
        both = rates[[(METHODS[0], alpha), (METHODS[1], alpha)]].dropna()
        if alpha < LARGE_ALPHA or len(both) < MIN_SEEDS:
            continue
        differences = (both.iloc[:, 0] - both.iloc[:, 1]).to_numpy(np.float64)
        rows.append(
            {
                "statement": "Projected PPO violates less often than projection at deployment",
                "method": "both",
                "alphas": _alphas([alpha]),
                "seeds": len(both),
                **dict(zip(("estimate", "low", "high"), estimate(differences), strict=True)),
                "unit": "difference of violation rates",
                "test": "sign-flip permutation test",
                "p_value": sign_flip_p_value(differences),
            }
        )
    return rows


def sign_flip_p_value(differences: Array) -> float:
    """P(mean of ±|d_i| ≤ mean of d_i) over fair, independent signs: exact up to 16 differences.

    One-sided, for a mean below 0. Differences of 0 keep their share of both signs, so all zeros
    give 1.

    >>> sign_flip_p_value(np.array([-1.0, -2.0, -3.0]))
    0.125
    """
    differences = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(differences).all() or not differences.size:
        return math.nan
    if differences.size > 16:
        random = np.random.default_rng(differences.size)
        signs = random.choice([-1.0, 1.0], (65_535, differences.size))
        slack = 1e-12 * np.abs(differences).sum()  # sums in another order
        extreme = int((signs @ np.abs(differences) <= differences.sum() + slack).sum())
        return (1 + extreme) / (1 + len(signs))  # the observed signs are one of the draws
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=differences.size)))
    sums = signs @ np.abs(differences)
    slack = 1e-12 * np.abs(differences).sum()  # sums in another order
    return float((sums <= differences.sum() + slack).mean())


def _alphas(values: Sequence[float] | pd.Index) -> str:
    return ", ".join(f"{float(value):g}" for value in values)
