"""The two rules against what is best: the ceiling of a budget, and a linear program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from sport_ray.selection.scores.rules import SMALLEST_SHARE, greedy, quantile

ATOMS = 12
VALUES = -np.arange(1.0, ATOMS + 2.0)


class Tree:
    """A deterministic task: ``width`` actions, each as likely under the base, ``depth`` steps.

    Each leaf has a class of return; the candidates of a state are all its actions, once each.
    """

    def __init__(self, seed: int, depth: int, width: int) -> None:
        self.width, self.depth = width, depth
        leaves = np.random.default_rng(seed).integers(0, ATOMS + 1, size=width**depth)
        self.leaves = leaves
        self.exact = [np.eye(ATOMS + 1)[leaves]]  # by height: law at every node
        for _ in range(depth):
            self.exact.append(self.exact[-1].reshape(-1, width, ATOMS + 1).mean(axis=1))

    def play(self, budget: float, sharpness: float) -> tuple[float, float]:
        """Mean value and largest path log ratio of the quantile rule, by enumerating all paths."""
        mass, spent = np.ones(1), np.zeros(1)
        for height in range(self.depth, 0, -1):
            laws = self.exact[height - 1].reshape(-1, self.width, ATOMS + 1)
            left = budget - spent
            log_weights = quantile(laws, left, sharpness)
            chosen = np.exp(log_weights)
            chosen /= chosen.sum(axis=1, keepdims=True)
            with np.errstate(divide="ignore"):
                cost = np.log(self.width * chosen)
            spent = (spent[:, None] + np.where(mass[:, None] > 0, cost, 0.0)).ravel()
            mass = (mass[:, None] * chosen).ravel()
            alive = mass > 1e-200
            spent, mass = np.where(alive, spent, 0.0), np.where(alive, mass, 0.0)
        return float(mass @ VALUES[self.leaves]), float(spent[mass > 0].max())

    def ceiling(self, share: float) -> float:
        """Mean value of the best share of the base's paths."""
        ordered = np.sort(VALUES[self.leaves])[::-1]
        count = len(ordered)
        taken = np.clip(share * count - np.arange(count), 0.0, 1.0)
        return float(taken @ ordered / taken.sum())


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
    st.integers(2, 5),
    st.floats(0.0, 5.0),
)
def test_with_exact_laws_the_quantile_rule_attains_the_ceiling(seed, depth, width, budget):
    tree = Tree(seed, depth, width)
    mean, spent = tree.play(budget, 1.0)
    assert spent <= budget + 1e-9
    assert mean == pytest.approx(tree.ceiling(np.exp(-budget)), abs=1e-9)
    assert tree.play(0.0, 1.0)[0] == pytest.approx(VALUES[tree.leaves].mean(), abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.floats(0.0, 4.0))
def test_the_quantile_rule_keeps_the_limit_by_itself(seed, count, limit):
    laws = np.random.default_rng(seed).dirichlet(np.full(ATOMS + 1, 0.3), size=(3, count))
    limits = np.array([limit, 0.5 * limit, 0.0])
    weights = quantile(laws, limits)
    # Not only in proportion: M p_j = e^limit F_j, whose mean over the candidates is 1.
    shares = np.maximum(np.exp(-limits), SMALLEST_SHARE)
    np.testing.assert_allclose(np.exp(weights).mean(axis=1), shares, rtol=1e-9)
    assert (weights <= 1e-12).all()
    np.testing.assert_allclose(weights[2], 0.0, atol=1e-12)  # the base itself
    np.testing.assert_array_equal(quantile(laws, limits, 2.5), 2.5 * weights)
    np.testing.assert_array_equal(quantile(laws[1:2], limits[1:2])[0], weights[1])
    inf = quantile(laws, np.full(3, np.inf))
    assert np.isfinite(inf).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(0.0, 3.0))
def test_the_greedy_rule_is_the_linear_program_of_one_step(seed, count, limit):
    laws = np.random.default_rng(seed).dirichlet(np.ones(ATOMS + 1), size=(1, count))
    weights = np.exp(greedy(laws, VALUES, np.array([limit])))[0] / count
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    cap = np.exp(limit) / count
    assert weights.max() <= cap * (1.0 + 1e-15)
    means = laws[0] @ VALUES
    best = linprog(-means, A_eq=np.ones((1, count)), b_eq=[1.0], bounds=(0.0, cap))
    assert weights @ means == pytest.approx(-best.fun, abs=1e-9)


def test_without_a_limit_the_greedy_rule_takes_the_best_and_at_zero_it_is_the_base():
    laws = np.random.default_rng(1).dirichlet(np.ones(ATOMS + 1), size=(2, 6))
    free, base = greedy(laws, VALUES, np.array([np.inf, 0.0]))
    assert np.argmax(free) == np.argmax(laws[0] @ VALUES)
    assert np.isneginf(np.delete(free, np.argmax(free))).all()
    np.testing.assert_array_equal(base, 0.0)


def test_a_floor_is_kept_and_the_rest_goes_to_the_best():
    """M w = κ + what is left, best first: the largest mean under κ ≤ M p ≤ α."""
    laws = np.zeros((1, 4, 3))
    laws[0, [0, 1, 2, 3], [1, 0, 2, 1]] = 1.0  # values −2, −1, −5, −2
    found = np.exp(greedy(laws, np.array([-1.0, -2.0, -5.0]), np.log([1.5]), 0.8))
    np.testing.assert_allclose(found, [[0.9, 1.5, 0.8, 0.8]], atol=1e-12)
    np.testing.assert_allclose(found.sum(), 4.0)
