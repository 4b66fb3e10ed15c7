"""Regression with harmful supervision: some labels lie beyond what may ever be predicted.

Labels on the right come from a harmful source that pulls predictions above the safety limit. The
constraint is one number per held-out input, prediction − limit, known by evaluation only.
"""

from __future__ import annotations

import numpy as np

from sport_ray.scpo.examples.experiment import Experiment
from sport_ray.scpo.optimise import ScpoSettings
from sport_ray.scpo.problem import Array, Evaluation, Problem
from sport_ray.scpo.smoothness import Smoothness, given_smoothness

NUM_LABELS = 80
HARMFUL_FROM = 0.2
HARMFUL_LABEL = 1.3
LIMIT = 0.8
SCALE = 1.5
HELD_OUT = np.linspace(-1.0, 1.0, 15)
TANH_CURVATURE = 0.7699
"""An upper bound on |tanh''|, which is at most 4/(3√3) = 0.76980…"""
_CENTRES = np.linspace(-1.0, 1.0, 9)
_WIDTH = 0.3


def features(x: Array) -> Array:
    """Gaussian bumps and a constant, (n, 10)."""
    bumps = np.exp(-0.5 * ((x[:, None] - _CENTRES) / _WIDTH) ** 2)
    return np.column_stack([bumps, np.ones(len(x))])


class HarmfulRegression(Problem):
    """Prediction SCALE·tanh(φ(x)·θ); the objective is the mean squared error on all labels.

    g_i(θ) = SCALE·tanh(φ(x_i)·θ) − LIMIT at held-out inputs x_i. Its Hessian is
    SCALE·tanh''(φ·θ) φφᵀ, so L_i = SCALE·max|tanh''|·‖φ(x_i)‖² is valid for every θ.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        inputs = rng.uniform(-1.0, 1.0, NUM_LABELS)
        honest = 0.6 * np.sin(np.pi * inputs)
        labels = np.where(inputs > HARMFUL_FROM, HARMFUL_LABEL, honest)
        self.labels = labels + 0.05 * rng.standard_normal(NUM_LABELS)
        self._train, self._held_out = features(inputs), features(HELD_OUT)
        self.dimension = self._train.shape[1]
        self.constraint_names = tuple(f"prediction at {x:.2f}" for x in HELD_OUT)

    def smoothness(self) -> Smoothness:
        """L by analysis, rounded up."""
        squared = (self._held_out**2).sum(axis=1)
        return given_smoothness(SCALE * TANH_CURVATURE * squared * (1.0 + 1e-12))

    def evaluate(self, theta: Array, beta: float) -> Evaluation:
        """Exact, but for rounding: 1e-12 covers that of a tanh and of sums of ten products."""
        objective = np.mean((SCALE * np.tanh(self._train @ theta) - self.labels) ** 2)
        values = SCALE * np.tanh(self._held_out @ theta) - LIMIT
        return Evaluation(float(objective), values, np.full(len(values), 1e-12))

    def objective_gradient(self, theta: Array) -> Array:
        """Of the mean squared error."""
        squashed = np.tanh(self._train @ theta)
        slope = 2.0 * (SCALE * squashed - self.labels) * SCALE * (1.0 - squashed**2)
        return self._train.T @ slope / NUM_LABELS


def harmful_regression(seed: int = 0) -> Experiment:
    """The experiment, deterministic in its seed; L is known by analysis."""
    problem = HarmfulRegression(seed)
    return Experiment(
        title="Regression with harmful supervision",
        objective="mean squared error on all labels, harmful ones included",
        problem=problem,
        start=np.zeros(problem.dimension),
        smoothness=problem.smoothness(),
        settings=ScpoSettings(
            iterations=150, step_size=0.1, trust_radius=0.3, probe_radius=1e-3, seed=seed
        ),
    )
