"""How much of what there is to gain each certified risk buys, kind of constraint by kind.

Saved are J_base − J, J the mean steps of the task (violations ignored, an episode without the goal
takes T). The share of the ceiling is that over what no policy under the same pathwise ratio can
beat (`sport_ray.tracking.analysis.ceiling`); the share of speed-up is
(J_base − J) / (J_base − J_unconstrained). J is an expectation over all
episodes, so playing the unconstrained policy with probability p, else the base, has share p: the
coin flip that any method must beat at the same certificate. A study without an unconstrained policy
of PPO (a base that can only be sampled has none) has no such share, and no coin flip.

Random budgets (`sport_ray.tracking.results.mixtures`) stand beside these kinds where the study has
mixed its cells: the best mixture, the best one setting and the coin flip, all three on scenarios
that were fresh when the mixture was picked, at levels that the sweep need not have.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from sport_ray.bounds import ratio_bound
from sport_ray.tracking.analysis.ceiling import ceiling_saved, step_counts
from sport_ray.tracking.results.intervals import CONFIDENCE, MIN_SEEDS, Estimate, estimate
from sport_ray.tracking.results.kinds import PAPER, is_reference, is_unconstrained, ranks
from sport_ray.tracking.results.labels import kind_text, series_and_kind_text
from sport_ray.tracking.results.mixtures import KINDS, read_mixtures, saved_by_seed, worst
from sport_ray.tracking.results.parameters import parts_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.refutation import is_refuted
from sport_ray.tracking.results.task_policies import series_of

COIN_FLIP, CEILING = "coin flip", "ceiling for pathwise ratio ≤ A"
_PAPERS = ("projected_ppo", PAPER)
_HOW = {"projected_ppo": "learned", "projected_at_deployment": "not trained under it"}

MEANINGS = {
    "horizon": "T, steps",
    "eps_max": "certified risk: the constraint was derived from it",
    "kind": "constraint and whose policies, in words; coin flip and ceiling beside them",
    "constraint": "kind of constraint; empty: coin flip, ceiling, random budgets",
    "series": "source of the policies and how they are used; empty as the constraint",
    "share": "saved over what PPO's unconstrained policy saves; empty: no such policy",
    "low": "lower end of its 95% interval over seeds (Fieller); empty from one seed",
    "high": "its upper end",
    "saved": "mean task steps of the base less those of the policy, paired by seed, steps",
    "saved_low": "lower end of its 95% t-interval over seeds; empty from one seed",
    "saved_high": "its upper end",
    "of_ceiling": "saved over what the ceiling saves; empty where that is not known",
    "of_ceiling_low": "lower end of its 95% interval over seeds (Fieller)",
    "of_ceiling_high": "its upper end",
    "seeds": "finished seeds",
    "gain_over_paper": "saved over what the paper's fixed α (Projected PPO) saves",
    "gain_low": "lower end of its 95% interval over seeds (Fieller); empty: unbounded",
    "gain_high": "its upper end",
    "prior_bound": "what is certified, at most eps_max",
    "worst_violation_rate": "observed violation rate of the worst seed",
    "worst_posterior_bound": "posterior bound of the worst seed",
    "mean_task_steps": "mean over seeds and scenarios, violations ignored; T without the goal",
}
"""Columns of `speedup_table`."""
COLUMNS = list(MEANINGS)


def speedup_table(folder: Results, frame: pd.DataFrame) -> pd.DataFrame:
    """One row per horizon, ε_max and kind, with coin flip and ceiling; columns ``COLUMNS``.

    share, low, high: ratio of means over seeds, Fieller's interval at 95% (NaN from one seed).
    saved: base − policy, steps, paired by seed, with the t-interval over seeds.
    of_ceiling: saved / the ceiling's, Fieller's interval; NaN where that is not known.
    gain_over_paper: mean saved over that of the paper's fixed α at the same ε_max, with the
        interval of the ratio (Fieller's theorem, paired by seed); NaN where it is unbounded.
    prior_bound: what is certified: at most ε_max. worst_…: of the worst seed.

    Empty if the study has no base cell (α = 1) or no ε_max, and where the data refute a promise:
    then nothing was bought at a certified risk.
    """
    if is_refuted(frame):
        return pd.DataFrame(columns=COLUMNS)
    done = frame[(frame["status"] == "finished") & frame["mean_task_steps"].notna()]
    rows: list[dict[str, Any]] = []
    for part in parts_of(done):
        horizon, group = part.horizon, part.of(done)
        base = group[(group["alpha"] == 1.0)].drop_duplicates("seed").set_index("seed")
        if base.empty:
            continue
        slow, free = base["mean_task_steps"], group[is_reference(group)]
        there_is = slow - free.groupby("seed")["mean_task_steps"].mean()
        whole = float(slow.mean() - free["mean_task_steps"].mean())
        if not whole > 0:  # slower than the base, or not there
            whole = math.nan
        counts = step_counts(folder, base)
        targeted = group[group["eps_max"].notna() & ~is_unconstrained(group)]
        targeted = targeted.assign(series=series_of(targeted))
        mixed = {} if part.parameters else _mixtures(folder, horizon)
        first = base.iloc[0]
        world = {"alpha_mu": first["alpha_mu"], "alpha_p": first["alpha_p"]}
        for eps_max in sorted({float(one) for one in targeted["eps_max"]} | set(mixed)):
            at_level = targeted[targeted["eps_max"] == eps_max]
            eps_base = ratio_bound(first["eps_base"], 1.0, horizon, **world)
            level = _Level(
                slow,
                there_is.dropna(),
                whole,
                ceiling_saved(counts, slow, eps_base / eps_max),
            )
            found = _of_kinds(at_level, level)
            found += [_of_mixture(row, level) for row in mixed.get(eps_max, ())]
            for row in [*found, *_references(eps_max, eps_base, level)]:
                kind = row["kind"] + part.suffix
                rows.append({"horizon": horizon, "eps_max": eps_max, **row, "kind": kind})
    table = pd.DataFrame(rows, columns=COLUMNS)
    order = ranks(table["constraint"].dropna())
    ends = {COIN_FLIP: -1, **dict.fromkeys(KINDS.values(), len(order)), CEILING: len(order) + 1}
    rank = table["constraint"].map(order).fillna(table["kind"].map(ends))
    return (
        table.assign(rank=rank)
        .sort_values(["horizon", "eps_max", "rank"], kind="stable")
        .drop(columns="rank")
        .reset_index(drop=True)
    )


class _Level(NamedTuple):
    """What a policy is measured against at one ε_max, each by seed, in steps."""

    slow: pd.Series
    """The base's mean steps."""
    there_is: pd.Series
    """What the unconstrained policy saves."""
    whole: float
    """Its mean; NaN without such a policy."""
    ceiling: pd.Series
    """What the ceiling saves; empty where it is not known."""

    def saved(self, gained: pd.Series) -> dict[str, float]:
        """Columns of what was gained, by seed: in steps, and as shares of both."""
        mean = estimate(gained.to_numpy(np.float64))
        above = float(self.ceiling.mean()) if len(self.ceiling) else math.nan
        low, high = _ratio_interval(gained, self.ceiling, above)
        share_low, share_high = _ratio_interval(gained, self.there_is, self.whole)
        return {
            "share": mean.value / self.whole,
            "low": share_low,
            "high": share_high,
            **mean.columns("saved"),
            **Estimate(mean.value / above if above > 0 else math.nan, low, high).columns(
                "of_ceiling"
            ),
        }


def _of_kinds(at_level: pd.DataFrame, level: _Level) -> list[dict[str, Any]]:
    """A row per series and constraint of one ε_max."""
    of_key = {
        (str(series), str(kind)): cells
        for (series, kind), cells in at_level.groupby(["series", "constraint"], sort=False)
    }
    gained = {}
    for key, cells in of_key.items():
        steps = cells.set_index("seed")["mean_task_steps"]
        # Paired: all cells of a seed are evaluated on the same scenarios.
        gained[key] = level.slow.reindex(steps.index).fillna(level.slow.mean()) - steps
    paper = gained.get(_PAPERS)
    return [
        {
            "kind": _name(*key),
            "constraint": key[1],
            "series": key[0],
            "seeds": len(gained[key]),
            **level.saved(gained[key]),
            **_gain(gained[key], paper if key != _PAPERS else None),
            "prior_bound": cells["prior_bound"].max(),
            "worst_violation_rate": cells["empirical_violation_rate"].max(),
            "worst_posterior_bound": cells["posterior_bound"].max(),
            "mean_task_steps": cells["mean_task_steps"].mean(),
        }
        for key, cells in of_key.items()
    ]


def _mixtures(folder: Results, horizon: int) -> dict[float, list[dict[str, Any]]]:
    """The mixtures at a T, by ε_max."""
    found: dict[float, list[dict[str, Any]]] = {}
    for row in read_mixtures(folder.path, (folder.certificate or {}).get("digest")):
        if row["horizon"] == horizon:
            found.setdefault(row["eps_max"], []).append(row)
    return found


def _of_mixture(row: dict[str, Any], level: _Level) -> dict[str, Any]:
    """A row of a mixture: from fresh scenarios, its own and the base's."""
    gained, (rate, posterior) = saved_by_seed(row), worst(row)
    return {
        "kind": KINDS[row["kind"]],
        "seeds": len(gained),
        **level.saved(gained),
        "prior_bound": row["bound"],
        "worst_violation_rate": rate,
        "worst_posterior_bound": posterior,
        "mean_task_steps": float(np.mean([one["mean_task_steps"] for one in row["seeds"]])),
    }


def _name(series: str, constraint: str) -> str:
    """The kind in words, and whether its policy was trained under it, or whose it is."""
    how = _HOW.get(series)
    return f"{kind_text(constraint)}, {how}" if how else series_and_kind_text(series, constraint)


def _ratio_interval(top: pd.Series, bottom: pd.Series, known: float) -> tuple[float, float]:
    """95% interval of mean(top) / `known`, the mean of `bottom`, both uncertain over seeds.

    Fieller's interval where the seeds have both; with other seeds the denominator is taken as
    known and the interval is the numerator's. NaN where it is not above 0.
    """
    if not known > 0:
        return math.nan, math.nan
    both = pd.concat([top, bottom], axis=1, join="inner").to_numpy(np.float64)
    if len(both) == len(top):
        return fieller(both[:, 0], both[:, 1])
    _, low, high = estimate(top.to_numpy(np.float64) / known)
    return low, high


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


def _gain(saved: pd.Series, paper: pd.Series | None) -> dict[str, float]:
    """Saved / what the paper's saves, with Fieller's interval over seeds paired by index."""
    nothing = {"gain_over_paper": math.nan, "gain_low": math.nan, "gain_high": math.nan}
    if paper is None:
        return nothing
    both = pd.concat([saved, paper], axis=1, join="inner").to_numpy(np.float64)
    if not len(both) or not both[:, 1].mean() > 0:
        return nothing
    low, high = fieller(both[:, 0], both[:, 1])
    ratio = float(both[:, 0].mean() / both[:, 1].mean())
    return {"gain_over_paper": ratio, "gain_low": low, "gain_high": high}


def coin_flip_share(eps_max: float, eps_base: float) -> float:
    """How often a coin flip may play any other policy for whole episodes, else the base.

    p with p + (1 − p) ε_base = ε_max, whatever the other policy risks. Of what an expectation over
    episodes gains by the other policy, it gains exactly the share p.
    """
    return (eps_max - eps_base) / (1.0 - eps_base)


def _references(eps_max: float, eps_base: float, level: _Level) -> list[dict[str, Any]]:
    """What a coin flip gets, and what no policy with pathwise ratio ≤ ε_max / ε_base can beat."""
    rows: list[dict[str, Any]] = []
    if math.isfinite(level.whole):
        flip = coin_flip_share(eps_max, eps_base)
        exactly = {"share": flip, "low": math.nan, "high": math.nan}
        rows.append({"kind": COIN_FLIP, **level.saved(flip * level.there_is), **exactly})
    if len(level.ceiling):
        saved = float(level.ceiling.mean())
        best = float(level.slow.mean()) - saved
        alone = {"kind": CEILING, "share": saved / level.whole, "saved": saved, "of_ceiling": 1.0}
        rows.append({**alone, "mean_task_steps": best})
    return [{**row, "prior_bound": eps_max} for row in rows]
