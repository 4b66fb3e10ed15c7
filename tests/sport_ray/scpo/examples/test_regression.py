"""Harmful supervision: L is what it is said to be, and no iterate predicts above the limit."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.scpo.examples import harmful_regression
from sport_ray.scpo.examples.regression import LIMIT, SCALE, HarmfulRegression, features


@pytest.mark.parametrize("seed", range(3))
def test_scpo_is_never_above_zero_and_the_unconstrained_run_is(seed):
    experiment = harmful_regression(seed)
    run, free = experiment.constrained(), experiment.unconstrained()
    assert not run.ever_unsafe
    assert not any(one.contradicted for one in run.iterations)
    assert free.ever_unsafe
    assert free.largest_constraint > 0.2
    # Harmful labels were fitted as far as the limit allows, honest ones were learned.
    assert run.largest_constraint > -0.05
    assert run.iterations[-1].objective < 0.5 * run.iterations[0].objective
    for theta in run.thetas:
        predictions = SCALE * np.tanh(features(np.linspace(-1.0, 1.0, 15)) @ theta)
        assert predictions.max() <= LIMIT


def test_the_smoothness_is_valid_and_nearly_attained():
    problem = HarmfulRegression(0)
    constants = problem.smoothness().values
    rng = np.random.default_rng(0)
    largest = np.zeros(len(constants))
    for _ in range(2000):
        theta, move = rng.standard_normal((2, problem.dimension))
        move *= 10.0 ** rng.uniform(-3, 0)
        h = 1e-3
        ahead, here, behind = (
            problem.evaluate(theta + k * h * move, 0.1).constraints for k in (1, 0, -1)
        )
        second = np.abs(ahead + behind - 2 * here) / (h**2 * (move @ move))
        largest = np.maximum(largest, second)
    assert (largest <= constants * (1 + 1e-3)).all()
    assert (largest > 0.05 * constants).all()


def test_the_gradient_of_the_objective():
    problem = HarmfulRegression(1)
    theta = np.random.default_rng(1).standard_normal(problem.dimension)
    moves = 1e-6 * np.eye(problem.dimension)
    slopes = [
        (problem.evaluate(theta + m, 0.1).objective - problem.evaluate(theta - m, 0.1).objective)
        / 2e-6
        for m in moves
    ]
    assert problem.objective_gradient(theta) == pytest.approx(np.array(slopes), abs=1e-7)
