"""Iterates stay safe while L is valid, and do not when it is too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scpo.optimise import ScpoSettings, descend, optimise
from benchmarks.scpo.problem import Evaluation, Problem
from benchmarks.scpo.smoothness import Smoothness, given_smoothness
from sport_ray.errors import UserError
from tests.benchmarks.scpo.smooth_problem import Bowl, NoisyProblem, SmoothProblem


@given(
    st.integers(0, 100_000),
    st.floats(0.01, 10.0),
    st.floats(0.01, 3.0),
    st.floats(1e-4, 0.3),
    st.sampled_from(["basis", "random"]),
)
@settings(max_examples=60, deadline=None)
def test_iterates_stay_safe_while_l_is_valid(seed, step, trust, probe, design):
    problem = SmoothProblem(seed)
    chosen = ScpoSettings(12, step, trust, probe, design=design, num_probes=6, seed=seed)
    run = optimise(problem, np.zeros(3), given_smoothness(problem.smoothness()), chosen)
    assert all((problem.constraints(theta) <= 0.0).all() for theta in run.thetas)
    assert not run.ever_unsafe
    assert not any(one.contradicted for one in run.iterations)


@pytest.mark.parametrize("seed", range(5))
def test_the_objective_falls_until_the_boundary(seed):
    problem = SmoothProblem(seed)
    chosen = ScpoSettings(60, 0.3, 0.5, 1e-4, seed=seed)
    run = optimise(problem, np.zeros(3), given_smoothness(problem.smoothness()), chosen)
    assert run.iterations[-1].objective < run.iterations[0].objective - 1e-3
    free = descend(problem, np.zeros(3), chosen)
    if free.ever_unsafe:  # then the constraint is what held SCPO back
        assert run.count("projected", "stood still") > 0


def test_too_small_an_l_is_unsafe_and_the_true_one_is_safe():
    problem, start = Bowl(curvature=10.0, slack=0.05), np.zeros(2)
    chosen = ScpoSettings(5, 1.0, 1.0, 1e-4)
    small = optimise(problem, start, given_smoothness([0.01]), chosen)
    assert small.ever_unsafe
    assert small.largest_constraint > 1.0
    assert any(one.contradicted for one in small.iterations)
    assert small.iterations[1].outcome == "went back"
    valid = optimise(problem, start, given_smoothness([10.0]), chosen)
    assert not valid.ever_unsafe
    # The true boundary is at √(2·0.05/10) = 0.1.
    assert valid.theta[0] == pytest.approx(0.1, rel=0.05)


def test_an_estimated_l_that_is_contradicted_is_raised():
    problem = Bowl(curvature=10.0, slack=0.05)
    wrong = Smoothness(np.array([0.01]), "estimated")
    run = optimise(problem, np.zeros(2), wrong, ScpoSettings(40, 1.0, 1.0, 1e-4))
    assert run.ever_unsafe
    assert run.smoothness[0] > 1.0
    assert run.iterations[-1].max_constraint <= 0.0


def test_noise_that_is_told_is_covered_and_noise_that_is_not_is_not():
    unsafe = {True: 0, False: 0}
    for told in unsafe:
        for seed in range(12):
            problem = NoisyProblem(seed, 1000 + seed, samples=2000, width=0.5, told=told)
            chosen = ScpoSettings(15, 0.3, 0.5, 0.1, beta=0.1, seed=seed)
            try:
                smooth = given_smoothness(problem.smoothness())
                run = optimise(problem, np.zeros(3), smooth, chosen)
            except UserError:  # too close to the boundary to be sure of the start
                continue
            unsafe[told] += any((problem.constraints(one) > 0.0).any() for one in run.thetas)
    assert unsafe[True] == 0
    assert unsafe[False] > 0


def test_stands_still_where_nothing_is_proved():
    # At the boundary already, with an error in the gradient: no step can be proved safe.
    problem = Bowl(curvature=2.0, slack=float(np.nextafter(0.25, 1.0)), error=0.0)
    start = np.array([0.5, 0.0])
    run = optimise(problem, start, given_smoothness([50.0]), ScpoSettings(3, 1.0, 1.0, 0.1))
    assert run.count("stood still") == 3
    assert (run.theta == start).all()
    assert "no step is proved safe" in run.iterations[0].reason


def test_an_objective_without_a_gradient_is_estimated_from_the_same_evaluations():
    class Blind(SmoothProblem):
        def objective_gradient(self, theta):
            return None

    chosen = ScpoSettings(10, 0.1, 0.5, 1e-4)
    runs = [
        optimise(problem, np.zeros(3), given_smoothness(problem.smoothness()), chosen)
        for problem in (SmoothProblem(3), Blind(3))
    ]
    assert runs[0].theta == pytest.approx(runs[1].theta, abs=1e-6)
    assert runs[0].evaluations == runs[1].evaluations == 11 + 10 * 3


def test_an_unsafe_start_is_refused_in_one_line():
    with pytest.raises(UserError, match=r"the start is not safe: constraint 'bowl' may be 4\.95"):
        optimise(Bowl(10.0, 0.05), np.array([1.0, 0.0]), given_smoothness([10.0]),
                 ScpoSettings(1, 1.0, 1.0, 0.1))  # fmt: skip


def test_a_start_that_is_not_a_number_is_refused():
    class Broken(Bowl):
        def evaluate(self, theta: np.ndarray, beta: float) -> Evaluation:
            return Evaluation(0.0, np.array([np.nan]), np.zeros(1))

    with pytest.raises(UserError, match="not safe"):
        optimise(Broken(1.0, 1.0), np.zeros(2), given_smoothness([1.0]),
                 ScpoSettings(1, 1.0, 1.0, 0.1))  # fmt: skip


def test_the_same_seed_gives_the_same_run():
    problem = SmoothProblem(1)
    chosen = ScpoSettings(8, 0.3, 0.5, 1e-3, seed=4)
    runs = [
        optimise(problem, np.zeros(3), given_smoothness(problem.smoothness()), chosen)
        for _ in range(2)
    ]
    assert (runs[0].thetas == runs[1].thetas).all()
    assert runs[0].iterations == runs[1].iterations


def test_arguments():
    problem = Bowl(1.0, 1.0)
    with pytest.raises(ValueError, match="step_size"):
        ScpoSettings(1, 0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="iterations"):
        ScpoSettings(0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="start"):
        optimise(problem, np.zeros(3), given_smoothness([1.0]), ScpoSettings(1, 1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match="smoothness"):
        optimise(problem, np.zeros(2), given_smoothness([1.0, 2.0]), ScpoSettings(1, 1.0, 1.0, 1.0))

    class Crooked(Problem):
        dimension, constraint_names = 2, ("one", "two")

        def evaluate(self, theta: np.ndarray, beta: float) -> Evaluation:
            return Evaluation(0.0, np.zeros(1), np.zeros(1))

    with pytest.raises(ValueError, match="must hold 2 constraints"):
        optimise(
            Crooked(), np.zeros(2), given_smoothness([1.0, 1.0]), ScpoSettings(1, 1.0, 1.0, 1.0)
        )


def test_an_l_that_is_estimated_at_the_iterates():
    # The bowl's second differences are exact everywhere: the estimate is the margin times L.
    problem = Bowl(curvature=10.0, slack=0.05)
    chosen = ScpoSettings(6, 1.0, 1.0, 1e-4, estimate_every=2, margin=1.5)
    run = optimise(problem, np.zeros(2), None, chosen)
    assert run.smoothness[0] == pytest.approx(15.0, rel=1e-3)
    assert not run.ever_unsafe
    # Per iteration 2 perturbations, and 1 + 2 + 3 at every second iterate.
    assert [one.probes for one in run.iterations] == [8, 2, 8, 2, 8, 2, 0]
    with pytest.raises(ValueError, match="smoothness must be given"):
        optimise(problem, np.zeros(2), None, ScpoSettings(1, 1.0, 1.0, 0.1))
