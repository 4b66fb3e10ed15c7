"""Certificate → constraint → promise, checked again with the standard library alone.

This finds what does not fit together: a certificate that was altered, one of another base policy,
a promise that does not follow from ε_base, the constraint and T. It does not replace ``sport-ray
verify``, which recomputes the certificate from its table of outcomes and runs scenarios again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from sport_ray.canonical import digest, readable_json
from sport_ray.errors import UserError

CERTIFICATE = "sport-ray/certificate/2"
TOLERANCE = 1e-6
"""Relative: another library may round otherwise, by far less."""
THEOREMS = {
    "ratio": "ε_base · α^T (arXiv 2504.06386)",
    "gauss_renyi": "Gauss–Rényi: min over λ > 1 of (ε_base · e^{T ρ(λ, α)})^{(λ−1)/λ}",
    "violation_time": "violation time: Σ_t α^t q_t",
    "pathwise": "pathwise budget: ε_base · e^B",
    "pathwise_spread": "pathwise budget: ε_base · e^B",
    "pathwise_all": "pathwise budget: ε_base · e^B",
    "mean_shift": "Gaussian trade-off: Φ(Φ⁻¹(ε_base) + μ)",
}


def read_certificate(data: bytes) -> dict[str, Any]:
    """The certificate in these bytes, as written by ``sport-ray certify``.

    Raises:
        UserError: another schema, or a byte that is not what content and digest make it.
    """
    try:
        document = json.loads(data)
        body = {key: value for key, value in document.items() if key != "digest"}
        unchanged = digest(body) == document["digest"] and readable_json(document) == data
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"the certificate is damaged: {error!r}") from None
    if not unchanged:
        raise UserError("the certificate was altered: its digest does not match its content")
    if body.get("schema") != CERTIFICATE:
        raise UserError(f"the certificate has schema {body.get('schema')!r}, not {CERTIFICATE!r}")
    return document


def certified_eps_base(certificate: Mapping[str, Any], horizon: int) -> float:
    """ε_base(T) of a certificate, recomputed from its counts where N was fixed beforehand.

    Raises:
        UserError: a horizon that it does not cover, or a bound that the counts do not give.
    """
    try:
        last, choice = certificate["max_horizon"], certificate["choice"]
        if not 1 <= horizon <= last or (choice is not None and choice["horizon"] != horizon):
            raise UserError(f"the certificate does not cover horizon {horizon}")
        column = "eps_base_simultaneous" if choice is None else "eps_base"
        eps_base = float(certificate["table"][column][horizon - 1])
        level = certificate["beta"] / last if choice is None else certificate["beta"]
        count = certificate["num_scenarios"]
        violations = certificate["table"]["num_violations"][horizon - 1]
        if not (0.0 < level < 1.0 and 0.0 < eps_base <= 1.0 and 0 <= violations <= count):
            raise ValueError(f"β = {level}, ε_base = {eps_base}, {violations} of {count}")
        if certificate["sampling"]["rule"] == "fixed" and eps_base < 1.0:
            log_tail = _log_binomial_tail(count, violations, eps_base * (1.0 + TOLERANCE))
            if not log_tail <= math.log(level) + TOLERANCE:
                raise UserError(
                    f"ε_base({horizon}) = {eps_base} does not follow from {violations} violations "
                    f"in {count} scenarios"
                )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"the certificate is damaged: {error!r}") from None
    return eps_base


def require_promise(
    constraint: Mapping[str, Any], eps_base: float, horizon: int, promise: Mapping[str, Any]
) -> None:
    """Refuse a promise that is smaller than what follows, or none at all (1 or more).

    ``promise``: its ``bound``, and ``alpha_mu``, ``alpha_p`` of the deployment's world.

    Raises:
        UserError: says which numbers do not fit.
    """
    stated = float(promise["bound"])
    if not 0.0 < stated < 1.0:
        raise UserError(f"a bound of {stated} promises nothing")
    world = [float(promise[name]) for name in ("alpha_mu", "alpha_p")]
    if not all(1.0 <= value < math.inf for value in world):
        raise UserError(f"alpha_mu, alpha_p = {world} are no ratios of worlds")
    log_bound = _log_bound(constraint, eps_base, horizon)
    if log_bound is None:  # needs the whole table of times: see sport-ray export
        log_bound = -math.inf
    log_bound += math.log(world[0]) + horizon * math.log(world[1])
    if not log_bound <= math.log(stated) + TOLERANCE:
        raise UserError(
            f"the promise {stated} does not follow from ε_base({horizon}) = {eps_base} and "
            f"{constraint['name']!r}: they give {math.exp(min(log_bound, 700.0)):.6g}"
        )


def _log_bound(constraint: Mapping[str, Any], eps_base: float, horizon: int) -> float | None:
    """log of the prior bound in nats, or None for one that this module cannot compute."""
    name = constraint["name"]
    log_eps = math.log(eps_base)
    if name == "ratio":
        return log_eps + horizon * math.log(constraint["alpha"])
    if name == "gauss_renyi":
        return _gauss_renyi(log_eps, math.log(constraint["alpha"]), horizon)
    if name.startswith("pathwise"):
        return log_eps + constraint["log_budget"]
    if name == "mean_shift":
        if eps_base >= 1.0:
            return 0.0
        shifted = NormalDist().inv_cdf(eps_base) + constraint["mu"]
        return math.log(0.5 * math.erfc(-shifted / math.sqrt(2.0)))
    return None


def _gauss_renyi(log_eps: float, log_alpha: float, horizon: int) -> float:
    if log_alpha == 0.0:
        return log_eps

    def at(log_excess: float) -> float:
        excess = math.exp(log_excess)
        saved = math.log1p(excess * -math.expm1(-2.0 * log_alpha)) / (2.0 * excess)
        return excess / (1.0 + excess) * (log_eps + horizon * (log_alpha - saved))

    grid = [-14.0 + 0.1 * index for index in range(420)]
    best = min(grid, key=at)
    low, high = best - 0.1, best + 0.1
    for _ in range(80):  # unimodal between its neighbours
        third = (high - low) / 3.0
        if at(low + third) <= at(high - third):
            high -= third
        else:
            low += third
    return min(at(0.5 * (low + high)), at(best), log_eps + horizon * log_alpha)


def _log_binomial_tail(count: int, most: int, probability: float) -> float:
    """log P(Binomial(n, p) ≤ k)."""
    if probability >= 1.0:
        return 0.0 if most >= count else -math.inf
    log_p, log_q = math.log(probability), math.log1p(-probability)
    logs = [
        math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1)
        + i * log_p + (count - i) * log_q
        for i in range(most + 1)
    ]  # fmt: skip
    peak = max(logs)
    return peak + math.log(math.fsum(math.exp(value - peak) for value in logs))
