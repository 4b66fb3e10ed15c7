"""How much of what there is to gain each certified risk buys, kind of constraint by kind.

The share of speed-up of a policy is (J_base − J) / (J_base − J_unconstrained), J the mean steps of
the task (violations ignored, an episode without the goal takes T). J is an expectation over all
episodes, so playing the unconstrained policy with probability p, else the base, has share p: the
coin flip that any method must beat at the same certificate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sport_ray.bounds import ratio_bound
from sport_ray.tracking.results.intervals import CONFIDENCE, MIN_SEEDS, estimate
from sport_ray.tracking.results.kinds import PAPER, is_reference, is_unconstrained, ranks
from sport_ray.tracking.results.labels import kind_text
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.task_policies import series_of, series_text

COIN_FLIP, CEILING = "coin flip", "ceiling for pathwise ratio ≤ A"
_PAPERS = ("projected_ppo", PAPER)
_HOW = {"projected_ppo": "learned", "projected_at_deployment": "not trained under it"}

COLUMNS = [
    "horizon",
    "eps_max",
    "kind",
    "constraint",
    "series",
    "share",
    "low",
    "high",
    "seeds",
    "gain_over_paper",
    "gain_low",
    "gain_high",
    "prior_bound",
    "worst_violation_rate",
    "worst_posterior_bound",
    "mean_task_steps",
]


def speedup_table(folder: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """One row per horizon, ε_max and kind, with coin flip and ceiling; columns ``COLUMNS``.

    share, low, high: ratio of means over seeds, Fieller's interval at 95% (NaN from one seed).
    gain_over_paper: mean share over that of the paper's fixed α at the same ε_max, with the
        interval of the ratio (Fieller's theorem, paired by seed); NaN where it is unbounded.
    prior_bound: what is certified: at most ε_max. worst_…: of the worst seed.

    Empty if the study has no base cell (α = 1), no unconstrained cell, or no ε_max, and where the
    data refute a promise: then nothing was bought at a certified risk.
    """
    if is_refuted(frame):
        return pd.DataFrame(columns=COLUMNS)
    done = frame[(frame["status"] == "finished") & frame["mean_task_steps"].notna()]
    rows: list[dict[str, Any]] = []
    for part in parts_of(done):
        horizon, group = part.horizon, part.of(done)
        base = group[(group["alpha"] == 1.0)].drop_duplicates("seed").set_index("seed")
        free = group[is_reference(group)]
        if base.empty or free.empty:
            continue
        slowest, fastest = base["mean_task_steps"].mean(), free["mean_task_steps"].mean()
        if not slowest > fastest:
            continue
        there_is = slowest - fastest
        all_there_is = base["mean_task_steps"] - free.groupby("seed")["mean_task_steps"].mean()
        targeted = group[group["eps_max"].notna() & ~is_unconstrained(group)]
        targeted = targeted.assign(series=series_of(targeted))
        for _, at_level in targeted.groupby("eps_max"):
            first = at_level.iloc[0]
            eps_max = float(first["eps_max"])
            world = {"alpha_mu": first["alpha_mu"], "alpha_p": first["alpha_p"]}
            eps_base = ratio_bound(first["eps_base"], 1.0, horizon, **world)
            best = best_share(folder, base, eps_base / eps_max)
            found = [
                *_of_kinds(at_level, base["mean_task_steps"], all_there_is, there_is),
                *_references(eps_max, eps_base, (slowest - best) / there_is, best),
            ]
            for row in found:
                kind = row["kind"] + part.suffix
                rows.append({"horizon": horizon, "eps_max": eps_max, **row, "kind": kind})
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = ranks(table["constraint"].dropna())
    ends = {COIN_FLIP: -1, CEILING: len(order)}
    rank = table["constraint"].map(order).fillna(table["kind"].map(ends))
    return (
        table.assign(rank=rank)
        .sort_values(["horizon", "eps_max", "rank"], kind="stable")
        .drop(columns="rank")
        .reset_index(drop=True)
    )


def _of_kinds(
    at_level: pd.DataFrame, slow: pd.Series, all_there_is: pd.Series, there_is: float
) -> list[dict[str, Any]]:
    """A row per series and constraint of one ε_max; slow: the base's mean steps by seed."""
    of_key = {
        (str(series), str(kind)): cells
        for (series, kind), cells in at_level.groupby(["series", "constraint"], sort=False)
    }
    shares = {}
    for key, cells in of_key.items():
        steps = cells.set_index("seed")["mean_task_steps"]
        # Paired: all cells of a seed are evaluated on the same scenarios.
        shares[key] = (slow.reindex(steps.index).fillna(slow.mean()) - steps) / there_is
    paper = shares.get(_PAPERS)
    return [
        {
            "kind": _name(*key),
            "constraint": key[1],
            "series": key[0],
            **_interval(shares[key] * there_is, all_there_is.dropna(), there_is),
            **_gain(shares[key], paper if key != _PAPERS else None),
            "prior_bound": cells["prior_bound"].max(),
            "worst_violation_rate": cells["empirical_violation_rate"].max(),
            "worst_posterior_bound": cells["posterior_bound"].max(),
            "mean_task_steps": cells["mean_task_steps"].mean(),
        }
        for key, cells in of_key.items()
    ]


def _name(series: str, constraint: str) -> str:
    """The kind in words, and whether its policy was trained under it, or whose it is."""
    return f"{kind_text(constraint)}, {_HOW.get(series) or series_text(series)}"


def _interval(gained: pd.Series, all_there_is: pd.Series, there_is: float) -> dict[str, float]:
    """Mean of what was gained over what there is to gain, both of which the seeds leave uncertain.

    Fieller's interval where the seeds have both; with other seeds the denominator is taken as
    known and the interval is the numerator's.
    """
    share = {"share": float(gained.mean()) / there_is, "seeds": len(gained)}
    both = pd.concat([gained, all_there_is], axis=1, join="inner").to_numpy(np.float64)
    if len(both) == len(gained):
        low, high = fieller(both[:, 0], both[:, 1])
    else:
        _, low, high = estimate(gained.to_numpy(np.float64) / there_is)
    return {**share, "low": low, "high": high}


def fieller(top: np.ndarray, bottom: np.ndarray) -> tuple[float, float]:
    """95% interval of mean(top) / mean(bottom) over paired seeds, by Fieller's theorem (1954).

    The ratios r at which mean(top) − r mean(bottom) is within t standard errors of 0. NaN from one
    seed, and where `bottom` cannot be told from 0 (then no interval is bounded).
    """
    nothing = (math.nan, math.nan)
    if len(top) < MIN_SEEDS:
        return nothing
    covariance = np.cov(top, bottom, ddof=1) / len(top)
    above, below = float(np.mean(top)), float(np.mean(bottom))
    t2 = stats.t.ppf(0.5 + CONFIDENCE / 2, len(top) - 1) ** 2
    a = below**2 - t2 * covariance[1, 1]
    b = above * below - t2 * covariance[0, 1]
    c = above**2 - t2 * covariance[0, 0]
    square = b * b - a * c
    if a <= 0 or square < -1e-12 * b * b:
        return nothing
    root = math.sqrt(max(square, 0.0))  # 0 but for rounding, where all seeds have one ratio
    return float((b - root) / a), float((b + root) / a)


def _gain(share: pd.Series, paper: pd.Series | None) -> dict[str, float]:
    """Share / paper's share, with Fieller's interval over seeds paired by index."""
    nothing = {"gain_over_paper": math.nan, "gain_low": math.nan, "gain_high": math.nan}
    if paper is None:
        return nothing
    both = pd.concat([share, paper], axis=1, join="inner").to_numpy(np.float64)
    if not len(both) or not both[:, 1].mean() > 0:
        return nothing
    low, high = fieller(both[:, 0], both[:, 1])
    ratio = float(both[:, 0].mean() / both[:, 1].mean())
    return {"gain_over_paper": ratio, "gain_low": low, "gain_high": high}


def _references(
    eps_max: float, eps_base: float, ceiling: float, best: float
) -> list[dict[str, Any]]:
    """What a coin flip gets, and what no policy with pathwise ratio ≤ ε_max / ε_base can beat.

    ceiling, best: the share and the mean steps of the latter, NaN where they are not known.
    """
    # ε ≤ p + (1 − p) ε_base, whatever the task policy.
    flip = (eps_max - eps_base) / (1.0 - eps_base)
    rows: list[dict[str, Any]] = [{"kind": COIN_FLIP, "share": flip}]
    if math.isfinite(best):
        rows.append({"kind": CEILING, "share": ceiling, "mean_task_steps": best})
    return [{**row, "prior_bound": eps_max} for row in rows]


def best_share(folder: Results, base: pd.DataFrame, part: float) -> float:
    """Mean steps of the fastest ``part`` of the base's episodes, pooled over seeds.

    A policy whose path ratio is at most A = 1/part can at best be the base's law on that part.
    With one start state only; NaN for random layouts, and where no steps were kept.
    """
    if folder.study.get("environment", {}).get("kwargs", {}).get("layout", "fixed") != "fixed":
        return math.nan
    counts = np.zeros(0)
    for cell_id in base["cell_id"]:
        samples = folder.samples(cell_id)
        if samples is None or "task_steps" not in samples:
            return math.nan
        one = samples["task_steps"].astype(np.float64)
        longer, shorter = (one, counts) if len(one) >= len(counts) else (counts, one)
        counts = longer + np.pad(shorter, (0, len(longer) - len(shorter)))
    wanted = part * counts.sum()
    taken = np.minimum(counts, np.maximum(wanted - (counts.cumsum() - counts), 0.0))
    return float((taken * np.arange(len(counts))).sum() / wanted)
