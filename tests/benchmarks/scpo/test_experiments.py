"""SCPO's experiments: no iterate is above 0, L and the constraints are what they are said to be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.scpo.experiments import (
    CONTRACTION,
    EXPERIMENTS,
    INITIAL_STATES,
    INPUT_LIMIT,
    POSITION_LIMIT,
    VELOCITY_LIMIT,
    A,
    B,
    HarmfulRegression,
    MaliciousImitation,
    backup_gain,
)
from benchmarks.scpo.optimise import descend, optimise

ROOT = Path(__file__).parents[3]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.scpo", *arguments]
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=280, cwd=ROOT
    )


@pytest.mark.slow
def test_the_script_writes_its_files_and_says_what_happened(tmp_path):
    done = run("regression", "--out", tmp_path / "new", "--seed", 1)
    assert done.returncode == 0, done.stderr
    rows = pd.read_csv(tmp_path / "new" / "scpo-regression.csv").set_index("run")
    assert set(rows.index) == {"scpo", "unconstrained"}
    assert (rows.loc["scpo", "max_constraint"] <= 0).all()
    assert (rows.loc["unconstrained", "max_constraint"] > 0).any()
    assert (tmp_path / "new" / "scpo-regression.png").read_bytes().startswith(b"\x89PNG")
    assert "above 0 is unsafe" in (tmp_path / "new" / "scpo-regression.svg").read_text()
    assert "ever above 0" in done.stdout
    assert "L is given by analysis" in done.stdout
    assert run("pendulum", "--out", tmp_path).returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_scpo_is_never_above_zero_and_the_unconstrained_run_is(name):
    made = EXPERIMENTS[name](0)
    safe = optimise(made.problem, made.start, made.smoothness, made.settings)
    free = descend(made.problem, made.start, made.settings)
    assert not safe.ever_unsafe
    assert free.ever_unsafe
    # What is harmful is learned as far as the limits allow.
    assert safe.iterations[-1].objective < 0.95 * safe.iterations[0].objective
    assert safe.iterations[-1].objective > free.iterations[-1].objective
    if name == "double-integrator":
        assert all(
            (true_constraints(made.problem, theta) <= 0).all() for theta in safe.thetas[::20]
        )
        assert (true_constraints(made.problem, free.theta) > 0).any()


def test_the_smoothness_of_the_regression_is_valid_and_nearly_attained():
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


def true_constraints(problem: MaliciousImitation, theta: np.ndarray) -> np.ndarray:
    """The maxima themselves, from a simulation of one initial state at a time."""
    worst, gain = np.full(4, -np.inf), backup_gain()[0]
    weights, outer = theta[:8].reshape(4, 2), theta[8:]
    limits = np.array([POSITION_LIMIT, VELOCITY_LIMIT])
    for start in INITIAL_STATES:
        state = start.copy()
        for _ in range(60):
            push = float(outer @ np.tanh(weights @ state) - gain @ state)
            worst[:2] = np.maximum(worst[:2], np.abs(state) / limits - 1.0)
            worst[2] = max(worst[2], abs(push) / INPUT_LIMIT - 1.0)
            state = A @ state + B[:, 0] * push
        worst[:2] = np.maximum(worst[:2], np.abs(state) / limits - 1.0)
        worst[3] = max(worst[3], state @ state / (start @ start) - CONTRACTION**2)
    return worst


def test_constraints_of_the_double_integrator_are_above_the_true_maxima_and_close():
    problem = MaliciousImitation(0)
    assert np.abs(np.linalg.eigvals(A - B @ backup_gain())).max() < 1.0
    assert (problem.constraint_values(problem.start) < 0.0).all()
    rng = np.random.default_rng(0)
    for _ in range(10):
        theta = problem.start + 0.5 * rng.standard_normal(problem.dimension)
        values, truth = problem.constraint_values(theta), true_constraints(problem, theta)
        assert (values >= truth - 1e-12).all()
        assert (values <= truth + np.log(2 * 8 * 61) / 30.0).all()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_gradient_of_the_objective(name):
    made = EXPERIMENTS[name](1)
    problem = made.problem
    theta = made.start + 0.3 * np.random.default_rng(1).standard_normal(problem.dimension)
    slopes = [
        (problem.evaluate(theta + m, 0.1).objective - problem.evaluate(theta - m, 0.1).objective)
        / 2e-6
        for m in 1e-6 * np.eye(problem.dimension)
    ]
    assert problem.objective_gradient(theta) == pytest.approx(np.array(slopes), abs=1e-6)
