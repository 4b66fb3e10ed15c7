"""Certificate → constraint → promise, checked again with the standard library alone.

This finds what does not fit together: a certificate that was altered, one of another base policy,
a promise that does not follow from ε_base, the constraint and T. It does not replace ``sport-ray
verify``, which recomputes the certificate from its table of outcomes and runs scenarios again.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from sport_ray.canonical import canonical_json, digest, readable_json
from sport_ray.errors import UserError
from sport_ray.text import plain

CERTIFICATE = "sport-ray/certificate/2"
TOLERANCE = 1e-6
"""Relative: another library may round otherwise, by far less."""
_BETS = [(1.0, 0.4), *((stake, 0.1) for stake in (0.75, 0.5, 0.3, 0.15, 0.07, 0.03))]
"""Stakes and weights, as in sport_ray.bounds.violation_time."""
THEOREMS = {
    "ratio": "ε_base · α^T (arXiv 2504.06386)",
    "gauss_renyi": "Gauss–Rényi: min over λ > 1 of (ε_base · e^{T ρ(λ, α)})^{(λ−1)/λ}",
    "violation_time": "violation time: Σ_t α^t q_t",
    "pathwise": "pathwise budget: ε_base · e^B",
    "pathwise_spread": "pathwise budget: ε_base · e^B",
    "pathwise_all": "pathwise budget: ε_base · e^B",
    "mean_shift": "Gaussian trade-off: Φ(Φ⁻¹(ε_base) + μ)",
}


def statement(property_: str, horizon: int, bound: float | None, beta: float) -> str:
    """The promise in words."""
    return (
        f"P(one episode violates {property_!r} within {horizon} steps) ≤ {bound!r}, "
        f"with confidence 1 − {beta:g}, in the world named here"
    )


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
        eps_base = _real("ε_base", certificate["table"][column][horizon - 1])
        level = certificate["beta"] / last if choice is None else certificate["beta"]
        count = certificate["num_scenarios"]
        violations = certificate["table"]["num_violations"][horizon - 1]
        if not (0.0 < level < 1.0 and 0.0 < eps_base <= 1.0 and 0 <= violations <= count):
            raise ValueError(f"β = {level}, ε_base = {eps_base}, {violations} of {count}")
        if type(count) is not int or type(violations) is not int:
            raise ValueError(f"{violations!r} violations of {count!r}")
        if certificate["sampling"]["rule"] not in ("fixed", "anytime"):
            raise ValueError(f"sampling rule {certificate['sampling']['rule']!r} is unknown")
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
    stated = _real("bound", promise["bound"])
    if not 0.0 < stated < 1.0:
        raise UserError(f"a bound of {stated} promises nothing")
    world = [_real(name, promise[name]) for name in ("alpha_mu", "alpha_p")]
    if not all(1.0 <= value < math.inf for value in world):
        raise UserError(f"alpha_mu, alpha_p = {world} are no ratios of worlds")
    log_bound = _log_bound(constraint, eps_base, horizon)
    if log_bound is None:  # needs the counts of violations by step
        log_bound = -math.inf
    log_bound += math.log(world[0]) + horizon * math.log(world[1])
    if not log_bound <= math.log(stated) + TOLERANCE:
        raise UserError(
            f"the promise {stated} does not follow from ε_base({horizon}) = {eps_base} and "
            f"{constraint['name']!r}: they give {math.exp(min(log_bound, 700.0)):.6g}"
        )


def require_world(
    certificate: Mapping[str, Any], env_kwargs: Any, promise: Mapping[str, Any]
) -> None:
    """Refuse another world than the certificate's where no ratio stands between the two.

    Raises:
        UserError: other arguments of the environment, and α_μ = α_p = 1.
    """
    same = canonical_json(env_kwargs) == canonical_json(certificate["env_kwargs"])
    if not same and promise["alpha_mu"] == promise["alpha_p"] == 1.0:
        raise UserError(
            f"the world {plain(env_kwargs)[:200]} is not the certified one, "
            f"{plain(certificate['env_kwargs'])[:200]}, and α_μ = α_p = 1 says that it is: certify "
            "it, or claim ratios in the study's deployment section"
        )


def require_violation_time(
    certificate: Mapping[str, Any], alpha: float, horizon: int, promise: Mapping[str, Any]
) -> None:
    """Refuse a bound that the times of the certificate's violations do not give.

    As ``sport_ray.bounds.violation_time_bound_from_counts``, whose θ only has to be checked here,
    not found: the stated bound is α_μ α_p^T · α^T θ.

    Raises:
        UserError: the bound does not follow, or N was not fixed beforehand.
    """
    if certificate["sampling"]["rule"] != "fixed":
        raise UserError("violation_time needs a number of scenarios that was fixed beforehand")
    last, choice, count = (certificate[n] for n in ("max_horizon", "choice", "num_scenarios"))
    level = certificate["beta"] / last if choice is None else certificate["beta"]
    times = [0, *certificate["table"]["num_settled"][: horizon - 1]]
    times.append(certificate["table"]["num_violations"][horizon - 1])
    by_step = [b - a for a, b in itertools.pairwise(times)]
    if len(by_step) != horizon or not all(type(k) is int and k >= 0 for k in by_step):
        raise ValueError(f"violations by step {by_step}")
    log_theta = math.log(promise["bound"]) - math.log(promise["alpha_mu"])
    log_theta -= horizon * (math.log(promise["alpha_p"]) + math.log(alpha)) - TOLERANCE
    theta = math.exp(log_theta)
    if theta >= 1.0:
        return
    if theta < 1e-12:  # no number of scenarios that can be run gives so little
        raise UserError(f"the promise {promise['bound']} does not follow from {count} scenarios")
    values = [math.exp((t - horizon) * math.log(alpha)) for t in range(1, horizon + 1)]
    wealth = [
        math.log(weight)
        + (count - times[-1]) * math.log1p(stake * theta)
        + math.fsum(
            k * math.log1p(stake * (theta - x)) if k else 0.0
            for k, x in zip(by_step, values, strict=True)
        )
        for stake, weight in _BETS
    ]
    peak = max(wealth)
    bet = peak + math.log(math.fsum(math.exp(value - peak) for value in wealth))
    if bet >= math.log(2.0 / level) - TOLERANCE:
        return
    tail = _log_binomial_tail(count, times[-1], theta)
    if tail <= math.log(level / 2.0) + TOLERANCE:
        return
    raise UserError(
        f"the promise {promise['bound']} does not follow from when {times[-1]} of {count} "
        "scenarios violated"
    )


def _real(name: str, value: Any) -> float:
    if type(value) not in (int, float):  # float() takes texts, too
        raise ValueError(f"{name} must be a number, got {value!r}")
    return float(value)


def _log_bound(constraint: Mapping[str, Any], eps_base: float, horizon: int) -> float | None:
    """Log of the prior bound in nats, or None for one that this module cannot compute."""
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
    """Log P(Binomial(n, p) ≤ k)."""
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
