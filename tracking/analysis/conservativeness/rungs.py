"""The rungs of a cell's ladder: each bound, what it assumes, with which confidence, its number.

From what is known longest beforehand to what is known last: bounds that follow from the
certificate and the constraint alone (prior), from scenarios of the base policy (off-policy), from
scenarios of the policy itself (posterior), and the share that was seen to violate (empirical).
A rung stands in a cell's ladder only if its theorem covers that cell's policy.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sport_ray.bounds import (
    gauss_renyi_bound,
    gaussian_tradeoff_bound,
    pathwise_bound,
    ratio_bound,
)
from sport_ray.bounds.violation_time import violation_time_bound_from_counts
from sport_ray.tracking.results.kinds import (
    BY_PATH,
    BY_STEP,
    MEAN_SHIFT,
    RATIO,
    UNCONSTRAINED,
)

LN10 = math.log(10.0)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rung:
    """A rung: its stage, its name in figures, and what must be true for it to hold."""

    name: str
    stage: str
    label: str
    assumes: str


RUNGS = {
    rung.name: rung
    for rung in (
        Rung(RATIO, "prior", "ε·αᵀ", "density ratio at most α at every step; any policy"),
        Rung(
            "gauss_renyi",
            "prior",
            "Gauss–Rényi",
            "density ratio at most α at every step between diagonal Gaussians, which all policies "
            "of this platform are",
        ),
        Rung(
            "violation_time",
            "prior",
            "violation time",
            "density ratio at most α at every step; α and T fixed before the certificate's "
            "scenarios were looked at, and their number too",
        ),
        Rung(
            "pathwise", "prior", "ε·eᴮ", "log ratios of the drawn actions sum to at most B always"
        ),
        Rung(
            MEAN_SHIFT,
            "prior",
            "Φ(Φ⁻¹(ε) + μ)",
            "only the means of the base's Gaussians are shifted, by at most μ in all",
        ),
        Rung("other", "prior", "as recorded", "what the constraint's own theorem assumes"),
        Rung(
            "off_policy",
            "off-policy",
            "off-policy",
            "base scenarios on which neither the policy nor its constraint was chosen",
        ),
        Rung(
            "posterior",
            "posterior",
            "posterior",
            "fresh, independent, complete scenarios of this very policy",
        ),
        Rung("empirical", "empirical", "observed rate", "a measured share: no bound"),
    )
}
STAGES = ("prior", "off-policy", "posterior", "empirical")


@dataclass(frozen=True)
class Value:
    """A rung's number: `bound` and its `log10` (exact where the bound overflows), or a `note` why
    there is none; `beta`: what it fails with, `together`: what else holds at the same time.
    """

    bound: float
    log10: float
    beta: float | None
    together: str
    note: str = ""


def stated_rung(row: Row) -> str | None:
    """The rung that is the cell's own promise; None for a policy that is deployed as it is."""
    kind = row["constraint"]
    if kind == UNCONSTRAINED:
        return None
    if kind in BY_PATH:
        return "pathwise"
    return kind if kind in RUNGS else "other"


def prior_values(row: Row, certificate: Mapping[str, Any] | None) -> dict[str, Value]:
    """Every prior bound whose theorem covers the cell of this record, computed without rollouts.

    In a perturbed world all are times α_μ·α_p^T. Values are not clipped at 1.
    """
    stated, eps_base = stated_rung(row), row.get("eps_base")
    if stated is None or eps_base is None:
        return {}
    together = "all of these, for every T, α and seed, together"
    beta, horizon = row.get("beta"), int(row["horizon"])
    found: dict[str, Value] = {}

    def add(name: str, bound: float, log10: float | None = None) -> None:
        found[name] = Value(bound, _log10(bound) if log10 is None else log10, beta, together)

    world, log_world = world_factor(row), log10_world(row)
    alpha, kind = row.get("alpha"), row["constraint"]
    if alpha is not None and kind in BY_STEP:
        log10 = log_world + horizon * math.log10(alpha) + _log10(eps_base)
        laws = {"alpha_mu": _one(row, "alpha_mu"), "alpha_p": _one(row, "alpha_p")}
        add(RATIO, ratio_bound(eps_base, alpha, horizon, **laws), log10)
        add("gauss_renyi", _times(gauss_renyi_bound(eps_base, alpha, horizon), world))
        by_time = _violation_time(row, certificate, world)
        if by_time is not None:
            found["violation_time"] = by_time
    elif row.get("log_budget") is not None:
        budget = row["log_budget"]
        bound = _times(pathwise_bound(eps_base, budget), world)
        add("pathwise", bound, _log10(eps_base) + budget / LN10 + log_world)
    elif row.get("mu") is not None and kind == MEAN_SHIFT:
        add(MEAN_SHIFT, _times(gaussian_tradeoff_bound(eps_base, row["mu"]), world))
    recorded = row.get("prior_bound")
    if recorded is not None and math.isfinite(recorded):
        own = found.get(stated)
        if own is None:  # a theorem that is not known here, or not with this certificate
            own = Value(recorded, _log10(recorded), None, "")
        found[stated] = replace(own, bound=recorded, log10=_log10(recorded))
    return {name: found[name] for name in RUNGS if name in found}


def _violation_time(row: Row, certificate: Mapping[str, Any] | None, world: float) -> Value | None:
    """Σ_t α^t q_t from the certificate's counts, as the constraint of that name computes it.

    None where it is not covered: an α that was derived from a risk, and so from the very
    scenarios; a number of scenarios that a stopping rule found; counts that are not there.
    """
    if certificate is None or row.get("eps_max") is not None:
        return None
    table, horizon = certificate["table"], int(row["horizon"])
    fixed = (certificate.get("sampling") or {}).get("rule") == "fixed"
    if not fixed or "num_settled" not in table or horizon > len(table["num_settled"]):
        return None
    settled = [*table["num_settled"][: horizon - 1], table["num_violations"][horizon - 1]]
    by_step = [0, settled[0], *(b - a for a, b in itertools.pairwise(settled))]
    beta = certificate["beta"]
    if certificate.get("choice") is None:
        beta /= certificate["max_horizon"]
    bound = violation_time_bound_from_counts(
        by_step, certificate["num_scenarios"], horizon, row["alpha"], beta
    )
    bound = _times(bound, world)
    return Value(bound, _log10(bound), beta, "on its own, for this α and T alone")


def measured_values(row: Row) -> dict[str, Value]:
    """The rungs that need scenarios: off-policy, posterior, and the observed rate."""
    beta = row.get("posterior_beta")
    off_policy = row.get("off_policy_bound")
    note = "" if off_policy is not None else row.get("off_policy_refusal") or "not asked for"
    found = {}
    if stated_rung(row) is not None:
        found["off_policy"] = Value(
            math.nan if off_policy is None else off_policy,
            _log10(off_policy),
            beta,
            "on its own, for this policy alone",
            note,
        )
    posterior = row.get("posterior_bound")
    found["posterior"] = Value(
        math.nan if posterior is None else posterior,
        _log10(posterior),
        beta,
        "on its own, for this policy alone",
    )
    rate = row["num_violations"] / row["num_scenarios"]
    note = "" if rate > 0 else f"none in {row['num_scenarios']} scenarios"
    found["empirical"] = Value(rate, _log10(rate), None, "", note)
    return found


def world_factor(row: Row) -> float:
    """α_μ·α_p^T, what a perturbed world costs; 1 in the certificate's own."""
    laws = {"alpha_mu": _one(row, "alpha_mu"), "alpha_p": _one(row, "alpha_p")}
    return ratio_bound(1.0, 1.0, int(row["horizon"]), **laws)


def log10_world(row: Row) -> float:
    """The decimal logarithm of `world_factor`."""
    return math.log10(_one(row, "alpha_mu")) + row["horizon"] * math.log10(_one(row, "alpha_p"))


def _one(row: Row, name: str) -> float:
    value = row.get(name)
    return 1.0 if value is None else float(value)


def _times(bound: float, world: float) -> float:
    return bound if world == 1.0 else math.nextafter(bound * world, math.inf)


def _log10(value: float | None) -> float:
    if value is None or math.isnan(value):
        return math.nan
    return math.log10(value) if value > 0 else -math.inf
