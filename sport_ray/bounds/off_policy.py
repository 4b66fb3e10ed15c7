"""The off-policy bound: a task policy's violations from scenarios of the base policy alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sport_ray.bounds.arguments import (
    require_beta,
    require_positive,
    require_probability,
    require_real,
)

Array = NDArray[np.float64]
_ULP = 2.0**-52
_STAKES = (0.001, 0.004, 0.012, 0.03, 0.07, 0.15, 0.3, 0.6, 0.9, 0.99, 0.999)
_SHARES = (0.5, 1.0)  # of the largest hedge that keeps a factor from falling below 0
_STEPS = 40  # halvings of the interval in which the bound lies
_NATS_TOO_POOR = 5.0  # of a bet that is left out: together they have 1% of what is needed


class OffPolicyBound(NamedTuple):
    """An off-policy bound, or why there is none."""

    bound: float | None
    """Upper bound on the task policy's violation probability, in [0, 1]; None where refused."""
    effective_sample_size: float
    """(Σ L)² / Σ L², between 1 and n: how many scenarios the weights amount to."""
    refusal: str | None
    """One line saying why there is no bound."""


def effective_sample_size(log_ratios: ArrayLike) -> float:
    """(Σ_i L_i)² / Σ_i L_i² of trajectory ratios L = e^{log ratio}; 0 if all of them vanish.

    Args:
        log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t), nats; −inf is a ratio of 0.

    Raises:
        ValueError: another shape, NaN or +inf.
    """
    ratios = _log_ratios(log_ratios)
    largest = ratios.max()
    if largest == -math.inf:
        return 0.0
    weights = np.exp(ratios - largest)
    return float(weights.sum() ** 2 / (weights**2).sum())


def off_policy_bound(
    log_ratios: ArrayLike,
    violated: ArrayLike,
    beta: float,
    *,
    log_ratio_limit: float | None = None,
    capped: ArrayLike | None = None,
    caps: Sequence[float] = (),
    min_effective_sample_size: float = 100.0,
) -> OffPolicyBound:
    """Upper bound on a task policy's violation probability from the base policy's own scenarios.

    1 − m, where m is a lower confidence bound on P_Q(safe) = E_P[L · 1{safe}]: the largest m whose
    hypothesis 'the mean is at most m' is rejected by the betting statistic

        K(m) = mean over (b, C, g) of Π_i [1 + b (L_i·1{safe_i}/m − 1) − g (C_i − 1)]

    at K(m) ≥ 1/β. A control C has mean 1 under the base and a limit c that no trajectory exceeds;
    0 ≤ g ≤ (1−b)/(c−1). Controls are L itself, if it has a limit, and the capped ratios. Without
    either only g = 0. Weights are neither truncated nor assumed bounded (truncating them could only
    lower m). With probability at least 1 − β over the scenarios, the task policy violates with
    probability at most ``bound``.

    The task policy, its constraint, the limit and the caps must be fixed before, and apart from,
    these scenarios: not trained, tuned or chosen on them. Several policies are several claims;
    for a list in order see ``limit_choice``.

    Args:
        log_ratios: (n,), Σ_t log π(a_t|s_t)/π_base(a_t|s_t) on independent, complete scenarios of
            the base policy, up to the step where the property is decided, nats; −inf allowed.
        violated: (n,), 0 or 1.
        beta: probability that the bound fails, in (0, 1).
        log_ratio_limit: nats, > 0, if no trajectory at all can have a larger log ratio, e.g.
            T log α or a pathwise budget. It takes away most of the noise of L where violations
            are rare.
        capped: (n, k), the capped ratios of each scenario (``CappedRatios``): of mean 1 under the
            base, from 0 to their cap. They take away the noise of L up to the cap.
        caps: (k,), each > 1, fixed beforehand.
        min_effective_sample_size: refuse below it.

    Raises:
        ValueError: an argument out of range, by name; a log ratio above the limit, or a capped
            ratio above its cap.

    Proof: docs/bounds.md, 'Off-policy'. Sources: arXiv 2010.09686 (betting); Thomas et al., AAAI
    2015 (lower bounds on the return of a policy from another's trajectories).
    """
    found = _statistic(log_ratios, violated, beta, log_ratio_limit, capped, caps)
    floor = require_real("min_effective_sample_size", min_effective_sample_size)
    size = effective_sample_size(log_ratios)
    if size < floor:
        return OffPolicyBound(
            None,
            size,
            f"effective sample size {size:.4g} is below {floor:.4g}: these scenarios say too "
            "little about this policy; take one closer to the base, or more scenarios",
        )
    return OffPolicyBound(min(math.nextafter(1.0 - found.root(), 2.0), 1.0), size, None)


def off_policy_holds(
    log_ratios: ArrayLike,
    violated: ArrayLike,
    beta: float,
    eps: float,
    *,
    log_ratio_limit: float | None = None,
    capped: ArrayLike | None = None,
    caps: Sequence[float] = (),
    min_effective_sample_size: float = 100.0,
) -> bool:
    """Whether ``off_policy_bound`` of the same is at most eps, or would be but for rounding.

    One evaluation of K, at m = 1 − eps, in place of a search; so the same confidence at this eps.

    Args:
        eps: in [0, 1]; the others as of ``off_policy_bound``.

    Raises:
        ValueError: as ``off_policy_bound``.
    """
    eps = require_probability("eps", eps)
    found = _statistic(log_ratios, violated, beta, log_ratio_limit, capped, caps)
    floor = require_real("min_effective_sample_size", min_effective_sample_size)
    if effective_sample_size(log_ratios) < floor:
        return False
    return eps == 1.0 or found.reached(1.0 - eps)


def _statistic(
    log_ratios: ArrayLike,
    violated: ArrayLike,
    beta: float,
    log_ratio_limit: float | None,
    capped: ArrayLike | None,
    caps: Sequence[float],
) -> _Statistic:
    """K of checked arguments."""
    ratios = _log_ratios(log_ratios)
    flags = np.asarray(violated)
    if flags.shape != ratios.shape:
        raise ValueError(f"violated must have shape {ratios.shape}, got {flags.shape}")
    if not np.isin(flags, (0, 1)).all():
        raise ValueError("violated must hold 0 or 1 only")
    beta = require_beta("beta", beta)
    weights = np.exp(np.minimum(ratios, 700.0))  # cut only without a limit: on the safe side
    controls = _capped_controls(capped, caps, len(ratios))
    if log_ratio_limit is not None:
        limit = require_positive("log_ratio_limit", log_ratio_limit)
        limit += 1e-9 * (1.0 + limit)  # sums of logarithms are rounded: a limit that holds for them
        if ratios.max() > limit:
            raise ValueError(
                f"log_ratios must be at most log_ratio_limit ({log_ratio_limit!r}), "
                f"got {ratios.max()!r}"
            )
        if limit < 700.0:
            controls.append(_Control(weights, math.exp(limit) * (1.0 + 1e-12)))
    return _Statistic(weights, flags == 0, beta, controls)


class _Control(NamedTuple):
    """A control variate: values (n,) of mean 1 under the base, none above ``largest`` ever."""

    values: Array
    largest: float


def _capped_controls(
    capped: ArrayLike | None, caps: Sequence[float], scenarios: int
) -> list[_Control]:
    """Controls from capped ratios.

    Raises:
        ValueError: shapes that do not fit, or a value outside of its cap.
    """
    if capped is None:
        if len(caps):
            raise ValueError("capped must be given with caps")
        return []
    values = np.asarray(capped, dtype=np.float64)
    if values.shape != (scenarios, len(caps)):
        raise ValueError(f"capped must have shape {(scenarios, len(caps))}, got {values.shape}")
    found = []
    for column, cap in enumerate(caps):
        if not require_real("caps", cap) > 1.0:
            raise ValueError(f"caps must be above 1, got {cap!r}")
        largest = float(cap) * (1.0 + 1e-9)  # a product of T rounded factors
        one = values[:, column]
        if not ((one >= 0.0) & (one <= largest)).all():  # written so that NaN is caught
            raise ValueError(f"capped must lie in [0, {cap:g}] for the cap {cap:g}")
        found.append(_Control(one, largest))
    return found


def _bets(controls: Sequence[_Control]) -> list[tuple[float, _Control | None, float]]:
    """(b, C, g) of every term of the statistic; none of it looks at the data."""
    bets: list[tuple[float, _Control | None, float]] = []
    for b in _STAKES:
        bets.append((b, None, 0.0))
        for control in controls:
            most = (1.0 - b) / (control.largest - 1.0)
            hedges = {share * most for share in _SHARES} | {min(b, most)}
            bets += [(b, control, g) for g in sorted(hedges)]
    return bets


class _Statistic:
    """K(m) of some scenarios, and whether it reaches 1/β; it falls as m grows."""

    def __init__(
        self,
        weights: Array,
        safe: NDArray[np.bool_],
        beta: float,
        controls: Sequence[_Control],
    ) -> None:
        self._bets = _bets(controls)
        self._gain = np.where(safe, weights, 0.0)
        # The sum of n logarithms may be off by this many nats; NaN compares as 'not reached'.
        self._target = -math.log(beta) + math.log(len(self._bets)) + 1e-12 * len(weights)
        self._alive = list(range(len(self._bets)))

    def reached(self, m: float) -> bool:
        """Whether K(m) ≥ 1/β, by what is still alive; once it is, asked for larger m alone."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            logs = np.array([self._log_wealth(bet, m) for bet in self._alive])
            peak = logs.max()
            if not np.isfinite(peak):
                return False
            total = peak + np.log(np.exp(logs - peak).sum())
        found = bool(total >= self._target)
        if found:  # wealth falls as m grows: what is far too poor here stays so, and only lowers m
            poor = self._target - math.log(len(self._bets)) - _NATS_TOO_POOR
            pairs = zip(self._alive, logs, strict=True)
            self._alive = [bet for bet, log in pairs if log > poor]
        return found

    def root(self) -> float:
        """The largest m in [0, 1] found at which K reaches 1/β."""
        low, high = 0.0, 1.0
        if self.reached(high):
            return high
        for _ in range(_STEPS):
            middle = 0.5 * (low + high)
            if self.reached(middle):
                low = middle
            else:
                high = middle
        return low

    def _log_wealth(self, bet: int, m: float) -> float:
        """Σ_i log of one bet's factors, each rounded down; −inf where one is not above 0."""
        b, control, g = self._bets[bet]
        factors = (b / m) * (1.0 - 8.0 * _ULP) * self._gain + (1.0 - b - 8.0 * _ULP)
        if control is not None:
            factors -= g * (control.values - 1.0) + 8.0 * _ULP * g * (1.0 + control.values)
        return -math.inf if not (factors > 0.0).all() else float(np.log(factors).sum())


def _log_ratios(values: ArrayLike) -> NDArray[np.float64]:
    ratios = np.asarray(values, dtype=np.float64)
    if ratios.ndim != 1 or not ratios.size:
        raise ValueError(f"log_ratios must have shape (n,), n ≥ 1, got {ratios.shape}")
    if np.isnan(ratios).any() or (ratios == math.inf).any():
        raise ValueError("log_ratios must be numbers below inf, got NaN or inf")
    return ratios
