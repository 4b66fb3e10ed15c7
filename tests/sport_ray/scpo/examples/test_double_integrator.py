"""Imitation of a malicious expert: no iterate leaves the limits, the unconstrained run does."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.scpo.examples import malicious_imitation
from sport_ray.scpo.examples.double_integrator import (
    CONTRACTION,
    INITIAL_STATES,
    INPUT_LIMIT,
    POSITION_LIMIT,
    VELOCITY_LIMIT,
    A,
    B,
    MaliciousImitation,
    backup_gain,
    smooth_max,
)


def true_constraints(problem: MaliciousImitation, theta: np.ndarray) -> np.ndarray:
    """The maxima themselves, from a simulation of one initial state at a time."""
    worst, gain = np.full(4, -np.inf), backup_gain()[0]
    weights, outer = theta[:8].reshape(4, 2), theta[8:]
    for start in INITIAL_STATES:
        state = start.copy()
        for _ in range(60):
            push = float(outer @ np.tanh(weights @ state) - gain @ state)
            now = [abs(state[0]) / POSITION_LIMIT, abs(state[1]) / VELOCITY_LIMIT,
                   abs(push) / INPUT_LIMIT]  # fmt: skip
            worst[:3] = np.maximum(worst[:3], np.array(now) - 1.0)
            state = A @ state + B[:, 0] * push
        worst[:2] = np.maximum(
            worst[:2], np.abs(state) / np.array([POSITION_LIMIT, VELOCITY_LIMIT]) - 1.0
        )
        worst[3] = max(worst[3], state @ state / (start @ start) - CONTRACTION**2)
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_scpo_is_never_above_zero_and_the_unconstrained_run_is(seed):
    experiment = malicious_imitation(seed)
    run, free = experiment.constrained(), experiment.unconstrained()
    assert not run.ever_unsafe
    assert free.ever_unsafe
    problem = experiment.problem
    assert isinstance(problem, MaliciousImitation)
    for theta in run.thetas[::20]:
        assert (true_constraints(problem, theta) <= 0.0).all()
    assert (true_constraints(problem, free.theta) > 0.0).any()
    # The expert is imitated as far as that is possible, the closed loop still contracts.
    assert run.iterations[-1].objective < 0.95 * run.iterations[0].objective
    assert run.iterations[-1].objective > free.iterations[-1].objective


def test_the_backup_policy_stabilises_and_is_the_start():
    closed = A - B @ backup_gain()
    assert np.abs(np.linalg.eigvals(closed)).max() < 1.0
    problem = MaliciousImitation(0)
    assert (problem.constraint_values(problem.start) < 0.0).all()
    assert (problem.rollouts(problem.start)[1][0] == -INITIAL_STATES @ backup_gain()[0]).all()


def test_constraints_are_above_the_true_maxima_and_close():
    rng = np.random.default_rng(0)
    problem = MaliciousImitation(0)
    for _ in range(10):
        theta = problem.start + 0.5 * rng.standard_normal(problem.dimension)
        values, truth = problem.constraint_values(theta), true_constraints(problem, theta)
        assert (values >= truth - 1e-12).all()
        assert (values <= truth + np.log(2 * 8 * 61) / 30.0).all()


def test_the_gradient_of_the_objective():
    problem = MaliciousImitation(1)
    theta = problem.start + 0.3 * np.random.default_rng(1).standard_normal(problem.dimension)
    moves = 1e-6 * np.eye(problem.dimension)
    slopes = [
        (problem.evaluate(theta + m, 0.1).objective - problem.evaluate(theta - m, 0.1).objective)
        / 2e-6
        for m in moves
    ]
    assert problem.objective_gradient(theta) == pytest.approx(np.array(slopes), abs=1e-6)


def test_smooth_max_does_not_overflow():
    assert smooth_max(np.array([1e6, 0.0])) == 1e6
