"""SCPO on a policy whose violation probability is known from rollouts only.

Steps come from a local model (docs/comparators.md), here of noisy differences under common random
numbers and with an estimated L: it proposes. Whether a proposal may
be kept is decided by fresh rollouts alone (:mod:`sport_ray.comparators.scpo.acceptance`), so the
claim needs no L.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sport_ray.comparators.scpo.acceptance import AcceptanceTests
from sport_ray.comparators.scpo.local_model import Array, LocalModel, fit_differences, perturbations
from sport_ray.comparators.scpo.policy_rollouts import CountedRollouts, Episodes
from sport_ray.comparators.scpo.safe_region import SafeRegion
from sport_ray.comparators.scpo.subspace import OutputSubspace
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork
from sport_ray.random_streams import stream


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    num_scenarios: fresh scenarios of a test; probe_scenarios: common ones of every perturbation.
    error_factor: standard errors that the gradient's error is taken to be. smoothness: L of the
    violation probability per unit of θ squared; None: estimated at the start, times the margin.
    """

    iterations: int
    num_scenarios: int
    probe_scenarios: int
    step_size: float
    trust_radius: float
    probe_radius: float
    error_factor: float
    smoothness: float | None
    smoothness_margin: float
    seed: int


@dataclass(frozen=True)
class SearchResult:
    """The accepted policy with the smallest mean objective in its test, and what happened.

    upper_bound: on its violation probability. objectives: mean of the start and of the result.
    """

    network: PolicyNetwork
    upper_bound: float
    start_objective: float
    objective: float
    mean_return: float
    accepted: int
    refused: int
    stood_still: int
    smoothness: float


def search(
    rollouts: CountedRollouts,
    subspace: OutputSubspace,
    tests: AcceptanceTests,
    settings: SearchSettings,
    tell: Callable[[Episodes], None] = lambda kept: None,
) -> SearchResult:
    """Descend along the mean objective; every kept policy has passed a test of its own.

    ``tests`` must allow iterations + 1. A refused proposal doubles L, and the iterate stays. tell:
    takes the test of the policy that is kept, of the start and after each iteration.

    Raises:
        UserError: a start that does not pass, or a test too small to pass at all.
    """
    count = settings.num_scenarios
    least = tests.best_possible(count)
    if least > tests.max_violation:
        raise UserError(
            f"num_scenarios ({count}) is too small: even without a violation the upper bound is "
            f"{least:.4g}, above max_violation ({tests.max_violation:g}): raise one of them"
        )
    theta = np.zeros(subspace.dimension)
    network = subspace.network(theta)
    here = rollouts.run(network, rollouts.fresh(count), count)
    verdict = tests.judge(count, here.num_violations)
    if not verdict.accepted:
        raise UserError(
            f"the start is not safe: the base violates in {here.num_violations} of {count} "
            f"episodes of {rollouts.plan.horizon} steps, an upper bound of "
            f"{verdict.upper_bound:.4g}, above max_violation ({tests.max_violation:g}): raise "
            "max_violation or num_scenarios, take longer episodes, or a safer base"
        )
    rng = stream(settings.seed, "scpo probes")
    best = network, verdict.upper_bound, here
    start_objective = float(here.objective.mean())
    smoothness = settings.smoothness
    accepted = refused = still = 0
    for _ in range(settings.iterations):
        tell(here)
        moves = perturbations(
            subspace.dimension, settings.probe_radius, subspace.dimension, "basis", rng
        )
        first, probes = rollouts.fresh(settings.probe_scenarios), settings.probe_scenarios

        def probe(at: Array, first: int = first, probes: int = probes) -> Episodes:
            return rollouts.run(subspace.network(at), first, probes)

        centre = probe(theta)
        around = [probe(theta + move) for move in moves]
        if smoothness is None:
            back = [probe(theta - move) for move in moves]
            smoothness = settings.smoothness_margin * _largest_second_difference(
                centre, around, back, settings.probe_radius
            )
        excess = here.violated.mean() - tests.max_violation
        # The error is what the test's upper bound adds, so standing still is always possible. Minus
        # 2⁻⁵²: the sum of value and error must not round to above the bound that was tested.
        unsure = max(verdict.upper_bound - here.violated.mean() - 2.0**-52, 0.0)
        model = LocalModel(
            np.array([excess]),
            np.array([unsure]),
            *_slope(moves, centre, around, smoothness, settings.error_factor),
        )
        region = SafeRegion(model, np.array([smoothness]), settings.trust_radius)
        gains = np.array([np.mean(one.objective - centre.objective) for one in around])
        target = region.project(theta, -settings.step_size * np.linalg.pinv(moves) @ gains).theta
        if target is None or np.array_equal(target, theta):
            still += 1
            continue
        network = subspace.network(target)
        candidate = rollouts.run(network, rollouts.fresh(count), count)
        judged = tests.judge(count, candidate.num_violations)
        if not judged.accepted:
            refused += 1
            smoothness *= 2.0
            continue
        accepted += 1
        theta, here, verdict = target, candidate, judged
        if here.objective.mean() < best[2].objective.mean():
            best = network, verdict.upper_bound, here
    tell(here)
    return SearchResult(
        network=best[0],
        upper_bound=best[1],
        start_objective=start_objective,
        objective=float(best[2].objective.mean()),
        mean_return=float(best[2].total_reward.mean()),
        accepted=accepted,
        refused=refused,
        stood_still=still,
        smoothness=float(smoothness or 0.0),
    )


def _slope(
    moves: Array, centre: Episodes, around: list[Episodes], smoothness: float, error_factor: float
) -> tuple[Array, Array]:
    """The violation probability's gradient around θ (1, d) and its error (1,), from the probes.

    Differences under common random numbers have a standard error of √(flips/n)/√n at most; one
    flip too many is added, since no flip among n scenarios does not mean that there are none.
    """
    n = len(centre.violated)
    flips = np.array([np.abs(one.violated - centre.violated).sum() for one in around])
    differences = np.array([[np.mean(one.violated - centre.violated)] for one in around])
    errors = error_factor * np.sqrt(flips + 1.0)[:, None] / n
    return fit_differences(moves, differences, errors, np.array([smoothness]))


def _largest_second_difference(
    centre: Episodes, around: list[Episodes], back: list[Episodes], radius: float
) -> float:
    """max_j |p(θ + D_j) + p(θ − D_j) − 2p(θ)| / r², at least what one scenario would make."""
    n = len(centre.violated)
    found = [
        abs(np.sum(one.violated + other.violated - 2.0 * centre.violated))
        for one, other in zip(around, back, strict=True)
    ]
    return float(max(*found, 1.0) / n / radius**2)
