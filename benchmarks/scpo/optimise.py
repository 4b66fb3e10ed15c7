"""Constrained policy optimisation by sampling and projection in weight space (SCPO).

At θ with g(θ) ≤ 0: evaluate perturbations, fit a linear model with its error, and project the raw
gradient step onto the steps that the model proves safe. docs/comparators.md has the theorem.

Source: arXiv 2512.13788, made anew from its description.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.scpo.problem import Array, Evaluation, Problem
from benchmarks.scpo.record import Iteration, Outcome, Run
from benchmarks.scpo.smoothness import Smoothness, estimate_smoothness
from sport_ray.bounds.arguments import require_integer, require_open_unit, require_positive
from sport_ray.comparators.scpo.acceptance import split
from sport_ray.comparators.scpo.local_model import (
    Design,
    LocalModel,
    fit_differences,
    perturbations,
)
from sport_ray.comparators.scpo.safe_region import SafeRegion
from sport_ray.errors import UserError

_LEAST_STEP = 1e-12
"""Of the trust radius: what is shorter is rounding, not a step."""


@dataclass(frozen=True)
class ScpoSettings:
    """How to optimise.

    step_size: of the raw gradient step. trust_radius, probe_radius: longest step, and length of
    perturbations. num_probes: for the design "random"; a basis has d. beta: probability with which
    any noisy evaluation of the whole run may be further off than it says. estimate_every: estimate
    L anew at the iterate after so many iterations, from second differences times margin; 0: never.
    """

    iterations: int
    step_size: float
    trust_radius: float
    probe_radius: float
    design: Design = "basis"
    num_probes: int = 0
    beta: float = 1e-3
    seed: int = 0
    estimate_every: int = 0
    margin: float = 4.0

    def __post_init__(self) -> None:
        require_integer("iterations", self.iterations, 1)
        require_integer("seed", self.seed, 0)
        require_integer("estimate_every", self.estimate_every, 0)
        require_open_unit("beta", self.beta)
        for name in ("step_size", "trust_radius", "probe_radius"):
            require_positive(name, getattr(self, name))

    def probes(self, dimension: int) -> int:
        """Perturbations per iteration."""
        return dimension if self.design == "basis" else self.num_probes

    def share_of_beta(self, problem: Problem) -> float:
        """What one value of one evaluation may fail with: iterations × evaluations × m shares."""
        evaluations = self.iterations * (self.probes(problem.dimension) + 1) + 1
        return split(self.beta, evaluations * problem.num_constraints)


def optimise(
    problem: Problem, start: Array, smoothness: Smoothness | None, settings: ScpoSettings
) -> Run:
    """SCPO from a safe start; every iterate is safe while ``smoothness`` is valid.

    ``smoothness`` None: estimated at the iterates (``estimate_every``), exact evaluations only, and
    never below what a contradiction raised it to; its evaluations count as probes. Where no step
    is proved safe the iterate stays. A constant that was estimated and is contradicted by an
    iterate is doubled; an iterate that measures above 0 although the model excluded it is left
    again for the one before.

    Raises:
        UserError: a start that is not safe, as far as its evaluation can tell.
        ValueError: shapes that do not fit.
    """
    theta = np.array(start, dtype=np.float64)
    if theta.shape != (problem.dimension,) or not np.isfinite(theta).all():
        raise ValueError(f"start must be {problem.dimension} finite numbers, got {start!r}")
    if (smoothness is None) != (settings.estimate_every > 0):
        raise ValueError("smoothness must be given, or None with estimate_every above 0")
    if smoothness is None:
        smoothness = Smoothness(np.zeros(problem.num_constraints), "estimated")
    if smoothness.values.shape != (problem.num_constraints,):
        raise ValueError(
            f"smoothness must hold {problem.num_constraints} constants, got {smoothness.values}"
        )
    rng = np.random.default_rng(settings.seed)
    beta = settings.share_of_beta(problem)
    least = np.zeros(problem.num_constraints)
    previous, promised = theta, np.full(problem.num_constraints, np.inf)
    thetas: list[Array] = []
    records: list[Iteration] = []
    for index in range(settings.iterations + 1):
        here = problem.evaluate(theta, beta).require_shape(problem.num_constraints)
        if index == 0:
            require_safe_start(problem, here)
        against = here.constraints - here.errors > promised
        if against.any() and smoothness.source == "estimated":
            smoothness = smoothness.raised(against)
            least = np.where(against, smoothness.values, least)
        thetas.append(theta)
        outcome: Outcome = "end"
        origin, target, reason = theta, None, ""
        raw = np.zeros_like(theta)
        probes, unsafe = 0, 0
        if against.any() and not (here.constraints <= 0.0).all():
            name = problem.constraint_names[int(np.argmax(here.constraints))]
            outcome, reason = "went back", f"{name} is above its upper bound: L is too small"
            target, promised = previous, np.full_like(promised, np.inf)
        elif index < settings.iterations:
            if settings.estimate_every and index % settings.estimate_every == 0:
                seen: list[bool] = []

                def judged(at: Array, seen: list[bool] = seen) -> Array:
                    values = problem.evaluate(at, beta).constraints
                    seen.append(not (values <= 0.0).all())
                    return values

                found_here = estimate_smoothness(
                    judged, theta, settings.probe_radius, settings.margin
                )
                smoothness = Smoothness(np.maximum(found_here.values, least), "estimated")
                probes, unsafe = len(seen), sum(seen)
            moves = perturbations(
                len(theta),
                settings.probe_radius,
                settings.probes(len(theta)),
                settings.design,
                rng,
            )
            points = theta + moves
            around = [
                problem.evaluate(point, beta).require_shape(problem.num_constraints)
                for point in points
            ]
            probes += len(around)
            unsafe += sum(not (one.constraints <= 0.0).all() for one in around)
            # The displacement of the weights that were evaluated, not the one that was meant.
            model = fit_local_model(here, around, points - theta, smoothness)
            region = SafeRegion(model, smoothness.values, settings.trust_radius)
            raw = -settings.step_size * _gradient(problem, theta, here, around, points - theta)
            target, found = region.project(theta, raw)
            shortest = _LEAST_STEP * settings.trust_radius
            if target is not None and not np.linalg.norm(target - theta) > shortest:
                target = None
            if target is None or found == "infeasible":
                outcome, reason = "stood still", _why_still(region, problem)
            else:
                outcome = found
                promised = region.upper(target - theta)
        if target is not None:
            previous, theta = origin, target
        records.append(
            _record(
                problem, index, here, outcome, reason,
                raw=raw, step=theta - origin, probes=probes, unsafe=unsafe,
                contradicted=bool(against.any()),
            )
        )  # fmt: skip
    return Run(theta, np.stack(thetas), tuple(records), smoothness.values)


def descend(problem: Problem, start: Array, settings: ScpoSettings) -> Run:
    """The same gradient steps with nobody asking about constraints, which are measured only."""
    theta = np.array(start, dtype=np.float64)
    rng = np.random.default_rng(settings.seed)
    beta = settings.share_of_beta(problem)
    thetas: list[Array] = []
    records: list[Iteration] = []
    for index in range(settings.iterations + 1):
        here = problem.evaluate(theta, beta)
        thetas.append(theta)
        outcome: Outcome = "end"
        raw, probes = np.zeros_like(theta), 0
        if index < settings.iterations:
            outcome = "free"
            gradient = problem.objective_gradient(theta)
            if gradient is None:
                moves = perturbations(
                    len(theta),
                    settings.probe_radius,
                    settings.probes(len(theta)),
                    settings.design,
                    rng,
                )
                around = [problem.evaluate(theta + move, beta) for move in moves]
                probes = len(around)
                gradient = _gradient(problem, theta, here, around, moves)
            raw = -settings.step_size * gradient
        theta = theta + raw
        records.append(
            _record(
                problem, index, here, outcome, "",
                raw=raw, step=raw, probes=probes, unsafe=0, contradicted=False,
            )
        )  # fmt: skip
    return Run(theta, np.stack(thetas), tuple(records), np.full(problem.num_constraints, np.nan))


def fit_local_model(
    centre: Evaluation, around: list[Evaluation], moves: Array, smoothness: Smoothness
) -> LocalModel:
    """The model at a θ from evaluations there and at θ + moves_j; errors of both add up."""
    values = np.stack([one.constraints for one in around])
    errors = np.stack([one.errors for one in around]) + centre.errors
    gradient, gradient_error = fit_differences(
        moves, values - centre.constraints, errors, smoothness.values
    )
    return LocalModel(centre.constraints, centre.errors, gradient, gradient_error)


def require_safe_start(problem: Problem, evaluation: Evaluation) -> None:
    """Refuse a start that is above 0, or may be.

    Raises:
        UserError: naming the constraint, its upper bound, and what to do.
    """
    upper = evaluation.upper
    if not (upper <= 0.0).all():
        worst = int(np.argmax(np.where(np.isnan(upper), np.inf, upper)))
        raise UserError(
            f"the start is not safe: constraint {problem.constraint_names[worst]!r} may be "
            f"{upper[worst]:.6g}, above 0: start from weights that satisfy it (a backup policy), "
            "or loosen the constraint"
        )


def _gradient(
    problem: Problem, theta: Array, here: Evaluation, around: list[Evaluation], moves: Array
) -> Array:
    """The problem's own gradient of the objective, or least squares over the same evaluations."""
    known = problem.objective_gradient(theta)
    if known is not None:
        return known
    differences = np.array([one.objective for one in around]) - here.objective
    return np.linalg.pinv(moves) @ differences


def _why_still(region: SafeRegion, problem: Problem) -> str:
    upper = region.upper(np.zeros(problem.dimension))
    worst = int(np.argmax(np.where(np.isnan(upper), np.inf, upper)))
    return (
        f"no step is proved safe; {problem.constraint_names[worst]} is at most {upper[worst]:.3g}"
    )


def _record(
    problem: Problem,
    index: int,
    here: Evaluation,
    outcome: Outcome,
    reason: str,
    *,
    raw: Array,
    step: Array,
    probes: int,
    unsafe: int,
    contradicted: bool,
) -> Iteration:
    values = np.where(np.isnan(here.constraints), np.inf, here.constraints)
    worst = int(np.argmax(values))
    return Iteration(
        iteration=index,
        objective=float(here.objective),
        max_constraint=float(values[worst]),
        worst=problem.constraint_names[worst],
        outcome=outcome,
        reason=reason,
        raw_step=float(np.linalg.norm(raw)),
        step=float(np.linalg.norm(step)),
        probes=probes,
        unsafe_probes=unsafe,
        contradicted=contradicted,
    )
