"""A paragraph on the methods: what was certified, trained and evaluated, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sport_ray.tracking.paper.tex import escape
from sport_ray.tracking.report.rows import used_bounds
from sport_ray.tracking.results.completeness import Completeness, completeness_of
from sport_ray.tracking.results.labels import bound_text, confidence_text, kind_text
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.task_policies import TITLES

PACKAGES = ("sport-ray", "python", "torch", "ray", "gymnasium", "numpy", "scipy")
"""Versions that a paper names; the certificate has all."""


def methods_in_tex(folder: Results, frame: pd.DataFrame) -> str:
    """The paragraph as LaTeX, from records and certificate alone."""
    parts = [*_certified(folder.certificate, frame), *_trained(folder, frame), *_evaluated(frame)]
    return "\n".join(parts) + "\n"


def _certified(certificate: dict[str, Any] | None, frame: pd.DataFrame) -> list[str]:
    if certificate is None:
        return ["The base policy has no certificate, so nothing is promised."]
    count, beta = certificate["num_scenarios"], certificate["beta"]
    bounds = used_bounds(frame, certificate)
    together = "of each $T$ by itself" if certificate["choice"] else "for all $T$ together"
    told = "; ".join(
        rf"$\varepsilon_{{\mathrm{{base}}}} = {escape(bound_text(row['eps_base']))}$ at "
        rf"$T = {row['horizon']}$ ({row['violations']:,} violations)"
        for row in bounds
    )
    return [
        rf"The base policy (\texttt{{{_short(certificate['base_digest'])}}}) was run in "
        rf"$N = {_thousands(count)}$ independent scenarios of "
        rf"\texttt{{{escape(certificate['env_id'])}}}.",
        rf"The property is \texttt{{{escape(certificate['property'])}}}.",
        "An upper confidence bound (Clopper--Pearson) of its probability of a violation within "
        rf"$T$ steps, {together}, holds with confidence {escape(confidence_text(beta))} "
        rf"($\beta = {_power(beta)}$): {told}.",
        rf"The certificate's digest is \texttt{{{_short(certificate['digest'])}}} (SHA-256, "
        rf"first 16 digits), made with {_versions(certificate['versions'])}.",
    ]


def _trained(folder: Results, frame: pd.DataFrame) -> list[str]:
    done = frame[frame["status"] == "finished"]
    state = completeness_of(folder)
    finished = f"{state.finished:,} of {state.planned:,} cells finished{_others(state)}."
    if done.empty:
        return [finished]
    sources = [TITLES.get(str(one), str(one)) for one in dict.fromkeys(done["source"])]
    kinds = [kind_text(str(one)) for one in dict.fromkeys(done["constraint"])]
    # Values that only cells without results have: the paragraph is about the whole study.
    sweep = (folder.study.get("sweep") or {}) if state.finished < state.planned else {}
    said = [
        f"Task policies: {escape(', '.join(sources))}; constraints: {escape(', '.join(kinds))}"
        + _set(r"\alpha", done["alpha"], sweep.get("alphas"))
        + _set(r"\varepsilon_{\mathrm{max}}", done["eps_max"], sweep.get("eps_max"))
        + ".",
        f"Training seeds: {_seeds(done, sweep.get('seeds'))}; {finished}",
    ]
    steps = done["train_env_steps"].dropna()
    if len(steps) and steps.max() > 0:
        low, high = int(steps[steps > 0].min()), int(steps.max())
        many = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        said.append(f"A policy was trained for {many} environment steps.")
    return said


def _evaluated(frame: pd.DataFrame) -> list[str]:
    done = frame[frame["status"] == "finished"]
    if done.empty:
        return []
    scenarios = sorted({int(one) for one in done["num_scenarios"]})
    beta = float(done["posterior_beta"].max())
    return [
        f"Each policy was evaluated on {' or '.join(f'{one:,}' for one in scenarios)} fresh "
        f"scenarios; its posterior bound has confidence {escape(confidence_text(beta))}.",
        "Intervals over training seeds are Student's $t$ at 95\\%, pointwise.",
    ]


def _others(state: Completeness) -> str:
    """What became of the cells that are not finished, in brackets; '' where there are none."""
    counts = (
        (state.failed, "failed"),
        (state.missing, "not run"),
        (len(state.unreadable), "with a record that cannot be read"),
    )
    told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
    return f" ({told})" if told else ""


def _set(symbol: str, column: pd.Series, planned: Sequence[float] | None) -> str:
    """The values of finished cells, and the planned ones where these are more."""
    found, wanted = _values(column), _values(pd.Series(planned or [], dtype=float))
    here, asked = (rf"\{{{', '.join(values)}\}}" for values in (found, wanted))
    if set(wanted) <= set(found):
        return rf"; ${symbol} \in {here}$" if found else ""
    if not found:
        return rf"; none of the planned ${symbol} \in {asked}$"
    return rf"; ${symbol} \in {here}$ of the planned ${asked}$"


def _seeds(done: pd.DataFrame, planned: Sequence[int] | None) -> str:
    found, wanted = {int(one) for one in done["seed"]}, set(planned or [])
    here, asked = (", ".join(map(str, sorted(seeds))) for seeds in (found, wanted))
    return here if wanted <= found else f"{here} of the planned {asked}"


def _values(column: pd.Series) -> list[str]:
    return [f"{one:.4g}" for one in sorted(column.dropna().astype(float).unique())]


def _short(digest: str) -> str:
    return escape(str(digest)[:16])


def _thousands(count: int) -> str:
    """A count in maths, where a comma alone would be followed by a gap."""
    return f"{count:,}".replace(",", "{,}")


def _power(beta: float) -> str:
    digits, _, exponent = f"{beta:.3g}".partition("e")
    if not exponent:
        return digits
    front = "" if digits == "1" else rf"{digits} \times "
    return rf"{front}10^{{{int(exponent)}}}"


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {escape(versions[name])}" for name in PACKAGES if name in versions)
