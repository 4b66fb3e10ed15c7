"""Tables of a study in booktabs: every number with its interval, and what the interval is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sport_ray.tracking.analysis.speedup_table import interval_text, levels_of, percent_text
from sport_ray.tracking.analysis.tables import Tables
from sport_ray.tracking.paper.tex import escape
from sport_ray.tracking.results.intervals import CONFIDENCE
from sport_ray.tracking.results.labels import (
    bound_text,
    confidence_text,
    rate_text,
    setting_text,
)
from sport_ray.tracking.results.performance import performance_of
from sport_ray.tracking.results.statistics import SETTING
from sport_ray.tracking.results.table import plain_rows

ROWS = 44
"""Of a table on one page; a longer one goes on in further ones."""
OVER_SEEDS = (
    f"In brackets: {CONFIDENCE:.0%} t intervals over training seeds, pointwise, none from one seed"
)


def tables_in_tex(tables: Tables, beta: float | None) -> dict[str, str]:
    """Floats by name: every setting, and what certified risk buys where that can be said.

    beta: of the certificate; None without one.
    """
    found = dict(_settings(tables, beta))
    if len(tables.speedup):
        found |= dict(_speedup(tables.speedup))
    return found


def _settings(tables: Tables, beta: float | None) -> Iterator[tuple[str, str]]:
    settings, measure = tables.settings, performance_of(tables.settings)
    done = settings[settings["seeds"] > 0]
    front = tables.front[tables.front["risk_kind"] == "prior_bound"]
    certified = {_key(row) for row in plain_rows(front)}
    rows = [
        [
            escape(setting_text(row)) + (r"\,$^\dagger$" if _key(row) in certified else ""),
            str(row["horizon"]),
            str(row["seeds"]),
            _bound(row["prior_bound"]),
            _bound(row["posterior_bound"]),
            _rate(row),
            _interval(*(measure.text(row[one]) for one in
                        (measure.mean, measure.column("low"), measure.column("high")))),
        ]
        for row in plain_rows(done)
    ]  # fmt: skip
    heads = [
        "Policy and constraint", "$T$", "Seeds", r"\shortstack[r]{Prior\\bound}",
        r"\shortstack[r]{Posterior\\bound}", "Violation rate", measure.short.capitalize(),
    ]  # fmt: skip
    posterior = tables.frame["posterior_beta"].dropna()
    caption = (
        "Every setting. Prior bound: holds before any rollout"
        + ("" if beta is None else f", all rows together, with confidence {confidence_text(beta)}")
        + ". Posterior bound: one-sided Clopper–Pearson of the worst seed's policy"
        + (f", confidence {confidence_text(float(posterior.max()))} each" if len(posterior) else "")
        + f". Violation rate and {measure.short}: mean over seeds. {OVER_SEEDS}."
    )
    mark = r" $\dagger$: on the certified front." if certified else ""
    yield from floats("settings", heads, rows, caption, r"L{2.0in}rrrrrr", mark)


def _speedup(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    of = "of_ceiling" if table["of_ceiling"].notna().any() else "share"
    rows = [
        [
            f"{level['eps_max']:g}",
            str(level["horizon"]),
            escape(row["kind"]),
            escape(interval_text(*(row[f"saved{end}"] for end in ("", "_low", "_high")))),
            escape(percent_text(*_with_ends(row, of))),
            escape(interval_text(row["gain_over_paper"], row["gain_low"], row["gain_high"])),
            escape(rate_text(row["worst_violation_rate"])),
        ]
        for level in levels_of(table)
        for row in level["rows"]
    ]
    share = "ceiling" if of == "of_ceiling" else "gain"
    heads = [
        r"$\varepsilon_{\mathrm{max}}$", "$T$", "Constraint and policy", "Steps saved",
        f"Of {share}", r"Over fixed $\alpha$", "Worst rate",
    ]  # fmt: skip
    caption = (
        "Steps of the task saved against the base at each certified risk, paired by seed. "
        f"{OVER_SEEDS}; those of shares and factors are Fieller's. Worst rate: observed, of the "
        "worst seed. "
        + ("Of ceiling: of what no policy can save at that risk." if of == "of_ceiling" else
           "Of gain: of what the unconstrained policy saves.")
    )  # fmt: skip
    yield from floats("speedup", heads, rows, caption, r"rrL{2.05in}rrrr")


def _with_ends(row: dict[str, Any], of: str) -> tuple[float | None, float | None, float | None]:
    low, high = ("of_ceiling_low", "of_ceiling_high") if of == "of_ceiling" else ("low", "high")
    return row[of], row[low], row[high]


def floats(
    name: str,
    heads: Sequence[str],
    rows: list[list[str]],
    caption: str,
    columns: str,
    more: str = "",
) -> Iterator[tuple[str, str]]:
    """Full-width tables of at most `ROWS` rows each, as (name, LaTeX); cells are LaTeX already.

    more: LaTeX at the end of the caption, which is text.
    """
    parts = [rows[at : at + ROWS] for at in range(0, len(rows), ROWS)]
    for number, part in enumerate(parts, 1):
        own = name if number == 1 else f"{name}_{number}"
        words = escape(caption) + more if number == 1 else rf"Table~\ref{{tab:{name}}}, continued."
        yield (
            own,
            "\n".join(
                [
                    r"\begin{table*}[tbp]",
                    r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
                    rf"\caption{{{words}}}\label{{tab:{own}}}",
                    rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
                    r"\toprule",
                    " & ".join(heads) + r" \\",
                    r"\midrule",
                    *(" & ".join(row) + r" \\" for row in part),
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table*}",
                    "",
                ]
            ),
        )


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SETTING)


def _bound(value: float | None) -> str:
    return escape(bound_text(value))


def _rate(row: dict[str, Any]) -> str:
    ends = ("mean_violation_rate", "mean_violation_rate_low", "mean_violation_rate_high")
    return _interval(*(rate_text(row[name]) for name in ends))


def _interval(value: str, low: str, high: str) -> str:
    return escape(value if "–" in (low, high) else f"{value} [{low}, {high}]")
