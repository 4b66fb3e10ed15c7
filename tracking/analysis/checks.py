"""Whether the files of a study say the same thing: what a reader would want checked first."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.bounds import gauss_renyi_bound, gaussian_tradeoff_bound, pathwise_bound, ratio_bound
from sport_ray.constraints import Constraint, RatioConstraint
from sport_ray.constraints.gauss_renyi import GaussRenyiConstraint
from sport_ray.constraints.mean_shift import MeanShiftBudget
from sport_ray.constraints.pathwise import PathwiseBudget
from sport_ray.tracking.results.base_bounds import base_bounds
from sport_ray.tracking.results.kinds import class_of, is_unconstrained
from sport_ray.tracking.results.labels import kind_text
from sport_ray.tracking.results.recomputed_bound import bound_of, world_of
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
    checks = [_held(bounded), *_prior(bounded, folder.certificate), _counts(done)]
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
    with_alpha, with_budget = bounded["alpha"].notna(), bounded["log_budget"].notna()
    parts = []
    if with_alpha.any() or bounded.empty:
        parts.append("the largest log ratio met in evaluation is at most log α")
    if with_budget.any():
        parts.append("the largest of any prefix at most the budget of the path")
    if not (with_alpha | with_budget).all():
        parts.append("what limits no ratio was checked at every step")
    return Check(claim + ", ".join(parts), bad == 0, _count(bad, len(bounded)))


def _prior(bounded: pd.DataFrame, certificate: dict[str, Any] | None) -> list[Check]:
    """The prior bound of each kind, computed again from the record; one check per formula."""
    kinds = bounded["constraint"]
    checks = []
    for kind, formula, expected in _FORMULAE:
        rows = bounded[kinds.map(partial(_is_a, kind)).astype(bool)]
        if len(rows) or kind is RatioConstraint:
            bad = sum(
                not _same(row["prior_bound"], _expect(expected, row)) for row in plain_rows(rows)
            )
            claim = f"The prior bound is {formula}"
            checks.append(Check(claim, bad == 0, _count(bad, len(rows))))
    known = kinds.map(lambda name: any(_is_a(kind, name) for kind, _, _ in _FORMULAE))
    for name, others in bounded[~known.astype(bool)].groupby("constraint"):
        checks.append(_by_class(str(name), plain_rows(others), certificate))
    asked = bounded[bounded["eps_max"].notna()]
    if len(asked):
        allowed = asked["eps_max"] * (1 + RELATIVE_TOLERANCE)
        bad = int((~(asked["prior_bound"] <= allowed)).sum())
        claim = "The prior bound is at most the ε_max that was asked for"
        checks.append(Check(claim, bad == 0, _count(bad, len(asked))))
    return checks


def _by_class(name: str, rows: list[dict[str, Any]], certificate: dict[str, Any] | None) -> Check:
    """Of a constraint whose formula is not known here: by its own class, if that is possible."""
    own = class_of(name)
    bounds = [None if own is None else bound_of(own, row, certificate) for row in rows]
    known = [(row["prior_bound"], one) for row, one in zip(rows, bounds, strict=True) if one]
    if len(known) == len(rows):
        claim = f"The prior bound is what {kind_text(name)} promises"
        bad = sum(not _same(stated, expected) for stated, expected in known)
    else:
        claim = f"The prior bound is at least the base's ({kind_text(name)}: "
        claim += "it cannot be computed again)"
        bad = sum(not _at_least_base(row) for row in rows)
    return Check(claim, bad == 0, _count(bad, len(rows)))


def _is_a(kind: type[Constraint], name: str) -> bool:
    """Whether the constraint of that name has the prior bound of this class."""
    known = class_of(name)
    return known is not None and known.prior_bound is kind.prior_bound


def _of_ratio(row: dict[str, Any]) -> float:
    world = {"alpha_mu": row["alpha_mu"], "alpha_p": row["alpha_p"]}
    return ratio_bound(row["eps_base"], row["alpha"], row["horizon"], **world)


def _of_gauss_renyi(row: dict[str, Any]) -> float:
    return gauss_renyi_bound(row["eps_base"], row["alpha"], row["horizon"]) * world_of(row)


def _of_shift(row: dict[str, Any]) -> float:
    return gaussian_tradeoff_bound(row["eps_base"], row["mu"]) * world_of(row)


def _of_path(row: dict[str, Any]) -> float:
    return pathwise_bound(row["eps_base"], row["log_budget"]) * world_of(row)


_FORMULAE: tuple[tuple[type[Constraint], str, Callable[[dict[str, Any]], float]], ...] = (
    (RatioConstraint, "ε_base · α_μ · (α_p · α)^T", _of_ratio),
    (GaussRenyiConstraint, "the Gauss–Rényi bound of α, times α_μ · α_p^T", _of_gauss_renyi),
    (MeanShiftBudget, "Φ(Φ⁻¹(ε_base) + μ), times α_μ · α_p^T", _of_shift),
    (PathwiseBudget, "ε_base · e^B, times α_μ · α_p^T", _of_path),
)
"""Computed again from the record alone, not by the class that made the bound."""


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
    found: bool = stated >= eps_base * world_of(row) * (1 - RELATIVE_TOLERANCE)
    return found


def _counts(done: pd.DataFrame) -> Check:
    rate = done["num_violations"] / done["num_scenarios"]
    parts = done["num_hazard"] + done["num_timeout"]
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
    valid = "holds for all T at once" if certificate["choice"] is None else "was chosen beforehand"
    expected = bounded["horizon"].map(base_bounds(certificate)).to_numpy(np.float64)
    differs = ~np.isclose(expected, bounded["eps_base"].to_numpy(np.float64), rtol=1e-12)
    planned, finished = (certificate["counts"][name] for name in ("planned", "finished"))
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
            planned == finished == certificate["num_scenarios"],
            f"{finished} of {planned}",
        ),
    ]
