"""Whether the files of a study say the same thing: what a reader would want checked first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.bounds import gauss_renyi_bound, pathwise_bound, ratio_bound
from sport_ray.tracking.results.kinds import BY_PATH, MEAN_SHIFT, RATIO, is_unconstrained, kind_of
from sport_ray.tracking.results.labels import kind_text
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.table import plain_rows

RELATIVE_TOLERANCE = 1e-9  # of a probability through log and exp in float64
ALMOST_INFINITE = 1e307


@dataclass(frozen=True)
class Check:
    """One check: what is claimed, whether it holds, and what was found."""

    claim: str
    held: bool
    found: str


def run_checks(folder: Results, frame: pd.DataFrame) -> list[Check]:
    """Checks of a result folder against itself; a failed one is reported, never repaired."""
    done = frame[frame["status"] == "finished"]
    bounded = done[~is_unconstrained(done)]
    checks = [_held(bounded), *_prior(bounded), _counts(done)]
    if folder.certificate is None:
        checks.append(Check("The folder holds its certificate", False, "certificate.json missing"))
    else:
        checks += _certificate(folder, frame, bounded)
    return checks


def _count(bad: int, total: int) -> str:
    return f"all {total} cells" if bad == 0 else f"not in {bad} of {total} cells"


def _held(bounded: pd.DataFrame) -> Check:
    bad = int((~bounded["constraint_held"]).sum())
    claim = "Every cell kept to its constraint: "
    kinds = set(kind_of(bounded))
    parts = []
    if bounded["alpha"].notna().any() or not kinds:
        parts.append("the largest log ratio met in evaluation is at most log α")
    if bounded["log_budget"].notna().any():
        parts.append("the largest of any prefix at most the budget of the path")
    if MEAN_SHIFT in kinds:
        parts.append("mean shifts were checked at every step while they were paid")
    return Check(claim + ", ".join(parts), bad == 0, _count(bad, len(bounded)))


def _prior(bounded: pd.DataFrame) -> list[Check]:
    """The prior bound of each kind, computed again from the record; one check per formula."""
    kinds = kind_of(bounded)
    checks = []
    for kinds_here, formula, expected in _FORMULAE:
        rows = bounded[kinds.isin(kinds_here)]
        if len(rows) or RATIO in kinds_here:
            bad = sum(not _same(row["prior_bound"], _expect(expected, row)) for row in _rows(rows))
            claim = f"The prior bound is {formula}"
            checks.append(Check(claim, bad == 0, _count(bad, len(rows))))
    known = {name for names, _, _ in _FORMULAE for name in names}
    others = bounded[~kinds.isin(known)]
    if len(others):
        bad = sum(not _at_least_base(row) for row in _rows(others))
        names = ", ".join(dict.fromkeys(kind_text(kind) for kind in kind_of(others)))
        claim = f"The prior bound is at least the base's ({names}: it cannot be computed again)"
        checks.append(Check(claim, bad == 0, _count(bad, len(others))))
    asked = bounded[bounded["eps_max"].notna()]
    if len(asked):
        allowed = asked["eps_max"] * (1 + RELATIVE_TOLERANCE)
        bad = int((~(asked["prior_bound"] <= allowed)).sum())
        claim = "The prior bound is at most the ε_max that was asked for"
        checks.append(Check(claim, bad == 0, _count(bad, len(asked))))
    return checks


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    # Records from before there were perturbed worlds have neither ratio.
    return plain_rows(frame.fillna({"alpha_mu": 1.0, "alpha_p": 1.0}))


def _world(row: dict[str, Any]) -> float:
    return ratio_bound(1.0, 1.0, row["horizon"], alpha_mu=row["alpha_mu"], alpha_p=row["alpha_p"])


def _of_ratio(row: dict[str, Any]) -> float:
    world = {"alpha_mu": row["alpha_mu"], "alpha_p": row["alpha_p"]}
    return ratio_bound(row["eps_base"], row["alpha"], row["horizon"], **world)


def _of_gauss_renyi(row: dict[str, Any]) -> float:
    return gauss_renyi_bound(row["eps_base"], row["alpha"], row["horizon"]) * _world(row)


def _of_path(row: dict[str, Any]) -> float:
    return pathwise_bound(row["eps_base"], row["log_budget"]) * _world(row)


_FORMULAE: tuple[tuple[tuple[str, ...], str, Callable[[dict[str, Any]], float]], ...] = (
    ((RATIO,), "ε_base · α_μ · (α_p · α)^T", _of_ratio),
    (("gauss_renyi",), "the Gauss–Rényi bound of α, times α_μ · α_p^T", _of_gauss_renyi),
    (BY_PATH, "ε_base · e^B, times α_μ · α_p^T", _of_path),
)


def _expect(expected: Callable[[dict[str, Any]], float], row: dict[str, Any]) -> float:
    """The bound, NaN (equal to nothing) where the record lacks what it depends on."""
    try:
        return expected(row)
    except (TypeError, ValueError):
        return math.nan


def _same(stated: float | None, expected: float) -> bool:
    # A bound too large for a float is stored as infinity or left out; that is no contradiction.
    if stated is None or math.isinf(stated):
        return expected >= ALMOST_INFINITE
    return math.isclose(stated, expected, rel_tol=RELATIVE_TOLERANCE * 100)


def _at_least_base(row: dict[str, Any]) -> bool:
    stated, eps_base = row["prior_bound"], row["eps_base"]
    if stated is None or eps_base is None:
        return False
    return stated >= eps_base * _world(row) * (1 - RELATIVE_TOLERANCE)


def _counts(done: pd.DataFrame) -> Check:
    rate = done["num_violations"] / done["num_scenarios"]
    parts = (done["num_hazard"] + done["num_timeout"]).fillna(done["num_violations"])
    wrong = ~np.isclose(
        rate.to_numpy(np.float64), done["empirical_violation_rate"].to_numpy(np.float64), rtol=1e-12
    ) | (parts != done["num_violations"]).to_numpy(bool)
    bad = int(wrong.sum())
    claim = "Violations are hazard plus timeouts, and the rate is violations / scenarios"
    return Check(claim, bad == 0, _count(bad, len(done)))


def _certificate(folder: Results, frame: pd.DataFrame, bounded: pd.DataFrame) -> list[Check]:
    certificate = folder.certificate
    assert certificate is not None
    known = frame.dropna(subset=["certificate_digest", "base_digest"])
    other = (known["certificate_digest"] != certificate["digest"]) | (
        known["base_digest"] != certificate["base_digest"]
    )
    # A horizon that was chosen on other scenarios needs no correction for having looked at all T.
    chosen = certificate.get("choice") is not None
    column = "eps_base" if chosen else "eps_base_simultaneous"
    valid = "was chosen beforehand" if chosen else "holds for all T at once"
    table = dict(zip(certificate["table"]["horizon"], certificate["table"][column], strict=True))
    expected = bounded["horizon"].map(table).to_numpy(np.float64)
    differs = ~np.isclose(expected, bounded["eps_base"].to_numpy(np.float64), rtol=1e-12)
    counts = certificate.get("counts", {})
    planned, finished = counts.get("planned"), counts.get("finished")
    return [
        Check(
            "All cells used this certificate and this base policy",
            not other.any(),
            _count(int(other.sum()), len(known)),
        ),
        Check(
            f"ε_base is the certificate's value at T, which {valid}",
            not differs.any(),
            _count(int(differs.sum()), len(bounded)),
        ),
        Check(
            "Every planned certification scenario ran to its end",
            planned is not None and planned == finished == certificate["num_scenarios"],
            f"{finished} of {planned}",
        ),
    ]
