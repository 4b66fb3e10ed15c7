"""The two experiments of arXiv 2512.13788, made anew from its description.

Imitation of labels of which some lie beyond what may ever be predicted, and of an expert that
pushes a double integrator away from the origin. Constraints are known by evaluation only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_discrete_are
from scipy.special import logsumexp

from benchmarks.scpo.optimise import ScpoSettings
from benchmarks.scpo.problem import Array, Evaluation, Problem
from benchmarks.scpo.smoothness import Smoothness, given_smoothness


@dataclass(frozen=True)
class Experiment:
    """A problem, a safe start, how to optimise, and what the objective's value means."""

    title: str
    objective: str
    problem: Problem
    start: Array
    smoothness: Smoothness | None  # None: estimated at the iterates
    settings: ScpoSettings


# Regression: prediction 1.5·tanh(φ(x)·θ), and one constraint per held-out input, prediction − 0.8.
# Labels right of 0.2 come from a harmful source that pulls predictions above that limit.
NUM_LABELS, HARMFUL_FROM, HARMFUL_LABEL, LIMIT, SCALE = 80, 0.2, 1.3, 0.8, 1.5
HELD_OUT = np.linspace(-1.0, 1.0, 15)
TANH_CURVATURE = 0.7699
"""An upper bound on |tanh''|, which is at most 4/(3√3) = 0.76980…"""


def features(x: Array) -> Array:
    """Gaussian bumps and a constant, (n, 10)."""
    bumps = np.exp(-0.5 * ((x[:, None] - np.linspace(-1.0, 1.0, 9)) / 0.3) ** 2)
    return np.column_stack([bumps, np.ones(len(x))])


class HarmfulRegression(Problem):
    """The mean squared error on all labels, subject to g_i(θ) = SCALE·tanh(φ(x_i)·θ) − LIMIT ≤ 0.

    The Hessian of g_i is SCALE·tanh''(φ·θ) φφᵀ, so L_i = SCALE·max|tanh''|·‖φ(x_i)‖² is valid for
    every θ.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        inputs = rng.uniform(-1.0, 1.0, NUM_LABELS)
        labels = np.where(inputs > HARMFUL_FROM, HARMFUL_LABEL, 0.6 * np.sin(np.pi * inputs))
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


def harmful_regression(seed: int) -> Experiment:
    """Deterministic in its seed; L is known by analysis, so that its safety is proved."""
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


# Double integrator: x' = Ax + Bu with u = −Kx + v·tanh(Wx). K is the LQR gain (the backup policy);
# the residual is 0 at the start. The expert pushes away from the origin.
STEP = 0.1  # seconds
A = np.array([[1.0, STEP], [0.0, 1.0]])
B = np.array([[0.5 * STEP**2], [STEP]])
EXPERT_GAIN = np.array([1.0, 0.5])
POSITION_LIMIT, VELOCITY_LIMIT, INPUT_LIMIT = 1.5, 1.2, 2.5
CONTRACTION = 0.5  # ‖x‖ at the end over ‖x‖ at the start
NUM_STEPS, HIDDEN, SHARPNESS = 60, 4, 30.0
INITIAL_STATES = np.array(
    [(1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.6), (-0.6, -0.6), (0.6, -0.6), (-0.6, 0.6)],
    dtype=np.float64,
)


def backup_gain() -> Array:
    """K of the linear-quadratic regulator with unit weights, (1, 2)."""
    cost = solve_discrete_are(A, B, np.eye(2), np.eye(1))
    return np.linalg.solve(np.eye(1) + B.T @ cost @ B, B.T @ cost @ A)


def smooth_max(values: Array) -> float:
    """Log Σ exp(κ·v) / κ: at least the largest value, at most log(n)/κ above it, and smooth."""
    return float(logsumexp(SHARPNESS * values.ravel()) / SHARPNESS)


def smooth_excess(values: Array, limit: float) -> float:
    """Of |v|/limit − 1; both signs under the smooth maximum, since |v| has a corner at 0."""
    share = np.abs(values) / limit
    return smooth_max(np.stack([share, -share]) - 1.0)


class MaliciousImitation(Problem):
    """Mean squared distance to the expert's inputs, subject to what rollouts show.

    θ = (W, v), W (4, 2). Constraints, smooth maxima over all rollouts from eight initial states
    (each at least the true maximum, so g ≤ 0 is what it says):

        position, velocity, input     |·|/limit − 1 at every step
        contraction                   ‖x_60‖²/‖x_0‖² − 1/4: the closed loop contracts, from there
    """

    constraint_names = ("position", "velocity", "input", "contraction")

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.dimension = 3 * HIDDEN
        self.states = rng.uniform(-1.2, 1.2, (100, 2))
        self.targets = self.states @ EXPERT_GAIN + 0.05 * rng.standard_normal(100)
        self.start = np.concatenate([rng.standard_normal(2 * HIDDEN), np.zeros(HIDDEN)])
        self._gain = backup_gain()[0]

    def _input(self, theta: Array, states: Array) -> tuple[Array, Array]:
        """Inputs (n,) at states (n, 2), and the hidden layer (n, 4)."""
        hidden = np.tanh(states @ theta[: 2 * HIDDEN].reshape(HIDDEN, 2).T)
        return hidden @ theta[2 * HIDDEN :] - states @ self._gain, hidden

    def constraint_values(self, theta: Array) -> Array:
        """g(θ), (4,), from states (steps + 1, 8, 2) and inputs (steps, 8)."""
        rollout, pushes = [INITIAL_STATES], []
        for _ in range(NUM_STEPS):
            pushes.append(self._input(theta, rollout[-1])[0])
            rollout.append(rollout[-1] @ A.T + pushes[-1][:, None] * B[:, 0])
        states, inputs = np.stack(rollout), np.stack(pushes)
        shrunk = (states[-1] ** 2).sum(axis=1) / (INITIAL_STATES**2).sum(axis=1)
        return np.array(
            [
                smooth_excess(states[:, :, 0], POSITION_LIMIT),
                smooth_excess(states[:, :, 1], VELOCITY_LIMIT),
                smooth_excess(inputs, INPUT_LIMIT),
                smooth_max(shrunk - CONTRACTION**2),
            ]
        )

    def evaluate(self, theta: Array, beta: float) -> Evaluation:
        """Exact up to rounding, which is far below what the margin on L leaves."""
        values = self.constraint_values(theta)
        objective = np.mean((self._input(theta, self.states)[0] - self.targets) ** 2)
        return Evaluation(float(objective), values, np.zeros(len(values)))

    def objective_gradient(self, theta: Array) -> Array:
        """Of the imitation loss."""
        given, hidden = self._input(theta, self.states)
        slope = 2.0 * (given - self.targets) / len(self.states)
        inner = slope[:, None] * (1.0 - hidden**2) * theta[2 * HIDDEN :]
        return np.concatenate([(inner.T @ self.states).ravel(), hidden.T @ slope])


def malicious_imitation(seed: int) -> Experiment:
    """Deterministic in its seed; L is *estimated*, so that its safety is observed, not proved.

    At every fifth iterate, from second differences, with a margin of 4.
    """
    problem = MaliciousImitation(seed)
    return Experiment(
        title="Malicious expert, double integrator",
        objective="mean squared distance to the expert's inputs",
        problem=problem,
        start=problem.start,
        smoothness=None,
        settings=ScpoSettings(
            iterations=150,
            step_size=0.05,
            trust_radius=0.1,
            probe_radius=1e-4,
            seed=seed,
            estimate_every=5,
            margin=4.0,
        ),
    )


EXPERIMENTS = {"regression": harmful_regression, "double-integrator": malicious_imitation}
"""Experiments by name; each takes a seed."""
