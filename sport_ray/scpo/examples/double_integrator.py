"""Imitation of a malicious expert on a double integrator, from a stabilising backup policy.

x' = Ax + Bu with u = −Kx + residual_θ(x): K is the LQR gain (the backup policy), the residual a
small tanh network that is 0 at the start. The expert pushes away from the origin.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_are
from scipy.special import logsumexp

from sport_ray.scpo.examples.experiment import Experiment
from sport_ray.scpo.optimise import ScpoSettings
from sport_ray.scpo.problem import Array, Evaluation, Problem

STEP = 0.1  # seconds
A = np.array([[1.0, STEP], [0.0, 1.0]])
B = np.array([[0.5 * STEP**2], [STEP]])
EXPERT_GAIN = np.array([1.0, 0.5])  # u = +1.0·position + 0.5·velocity: away from the origin
POSITION_LIMIT, VELOCITY_LIMIT, INPUT_LIMIT = 1.5, 1.2, 2.5
CONTRACTION = 0.5  # ‖x‖ at the end over ‖x‖ at the start
NUM_STEPS = 60
HIDDEN = 4
SHARPNESS = 30.0
_CORNERS = [(1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.6), (-0.6, -0.6), (0.6, -0.6), (-0.6, 0.6)]
INITIAL_STATES = np.array(_CORNERS, dtype=np.float64)


def backup_gain() -> Array:
    """K of the linear-quadratic regulator with unit weights, (1, 2)."""
    cost = solve_discrete_are(A, B, np.eye(2), np.eye(1))
    return np.linalg.solve(np.eye(1) + B.T @ cost @ B, B.T @ cost @ A)


def smooth_max(values: Array) -> float:
    """log Σ exp(κ·v) / κ: at least the largest value, at most log(n)/κ above it, and smooth."""
    return float(logsumexp(SHARPNESS * values.ravel()) / SHARPNESS)


class MaliciousImitation(Problem):
    """Mean squared distance to the expert's inputs, subject to what rollouts show.

    θ = (W, v): residual v·tanh(Wx), W (4, 2). Constraints, smooth maxima over all rollouts from
    eight initial states (each at least the true maximum, so g ≤ 0 is what it says):

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

    def rollouts(self, theta: Array) -> tuple[Array, Array]:
        """States (steps + 1, 8, 2) and inputs (steps, 8) from all initial states."""
        states, inputs = [INITIAL_STATES], []
        for _ in range(NUM_STEPS):
            inputs.append(self._input(theta, states[-1])[0])
            states.append(states[-1] @ A.T + inputs[-1][:, None] * B[:, 0])
        return np.stack(states), np.stack(inputs)

    def constraint_values(self, theta: Array) -> Array:
        """g(θ), (4,)."""
        states, inputs = self.rollouts(theta)
        position, velocity = np.abs(states[:, :, 0]), np.abs(states[:, :, 1])
        shrunk = (states[-1] ** 2).sum(axis=1) / (INITIAL_STATES**2).sum(axis=1)
        return np.array(
            [
                smooth_max(_both_signs(position / POSITION_LIMIT) - 1.0),
                smooth_max(_both_signs(velocity / VELOCITY_LIMIT) - 1.0),
                smooth_max(_both_signs(np.abs(inputs) / INPUT_LIMIT) - 1.0),
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


def _both_signs(values: Array) -> Array:
    """|v| as max(v, −v) has a corner at 0: both signs under the smooth maximum have none."""
    return np.stack([values, -values])


def malicious_imitation(seed: int = 0) -> Experiment:
    """The experiment, deterministic in its seed; L is *estimated*: safety is observed, not proved.

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
