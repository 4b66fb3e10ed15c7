"""Random smooth problems whose smoothness constants are known by analysis."""

from __future__ import annotations

import numpy as np

from benchmarks.scpo.problem import Evaluation, Problem


class SmoothProblem(Problem):
    """Minimise c·θ subject to a_i·θ + s_i·sin(w_i·θ + φ_i) + ½θᵀQ_iθ − b_i ≤ 0.

    |second derivative along a unit vector| ≤ |s_i|‖w_i‖² + ‖Q_i‖₂ =: L_i, everywhere. b is chosen
    so that g_i(0) is between −1 and −0.05.
    """

    def __init__(self, seed: int, dimension: int = 3, constraints: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.dimension = dimension
        self.constraint_names = tuple(f"g{i}" for i in range(constraints))
        self.cost = rng.standard_normal(dimension)
        self.a = rng.standard_normal((constraints, dimension))
        self.s = rng.uniform(0.1, 1.0, constraints)
        self.w = 2.0 * rng.standard_normal((constraints, dimension))
        self.phase = rng.uniform(0, 2 * np.pi, constraints)
        roots = rng.standard_normal((constraints, dimension, dimension))
        self.q = 0.5 * (roots + roots.transpose(0, 2, 1))
        self.b = self.s * np.sin(self.phase) + rng.uniform(0.05, 1.0, constraints)

    def smoothness(self) -> np.ndarray:
        return (
            np.abs(self.s) * (self.w**2).sum(axis=1) + np.linalg.norm(self.q, 2, axis=(1, 2))
        ) * (1.0 + 1e-9)

    def constraints(self, theta: np.ndarray) -> np.ndarray:
        curved = 0.5 * np.einsum("j,ijk,k->i", theta, self.q, theta)
        return self.a @ theta + self.s * np.sin(self.w @ theta + self.phase) + curved - self.b

    def constraint_gradient(self, theta: np.ndarray) -> np.ndarray:
        slope = self.s * np.cos(self.w @ theta + self.phase)
        return self.a + slope[:, None] * self.w + self.q @ theta

    def evaluate(self, theta: np.ndarray, beta: float) -> Evaluation:
        values = self.constraints(theta)
        return Evaluation(float(self.cost @ theta), values, np.full(len(values), 1e-12))

    def objective_gradient(self, theta: np.ndarray) -> np.ndarray:
        return self.cost


class NoisyProblem(SmoothProblem):
    """The same, measured as means of samples with uniform noise in [−width/2, width/2]."""

    def __init__(self, seed: int, noise_seed: int, samples: int, width: float, told: bool) -> None:
        super().__init__(seed)
        self.noise = np.random.default_rng(noise_seed)
        self.samples, self.width, self.told = samples, width, told

    def evaluate(self, theta: np.ndarray, beta: float) -> Evaluation:
        exact = super().evaluate(theta, beta)
        drawn = self.noise.uniform(-0.5, 0.5, (self.samples, self.num_constraints)) * self.width
        hoeffding = self.width * np.sqrt(np.log(2.0 / beta) / (2.0 * self.samples))
        error = hoeffding * (1.0 + 1e-12) if self.told else 0.0
        return Evaluation(
            exact.objective,
            exact.constraints + drawn.mean(axis=0),
            np.full(self.num_constraints, error),
        )


class Bowl(Problem):
    """Minimise −θ_1 subject to ½L‖θ‖² − slack ≤ 0: the gradient at the start says nothing."""

    constraint_names = ("bowl",)

    def __init__(self, curvature: float, slack: float, error: float = 1e-13) -> None:
        self.dimension, self.curvature, self.slack, self.error = 2, curvature, slack, error

    def evaluate(self, theta: np.ndarray, beta: float) -> Evaluation:
        value = 0.5 * self.curvature * float(theta @ theta) - self.slack
        return Evaluation(-float(theta[0]), np.array([value]), np.array([self.error]))

    def objective_gradient(self, theta: np.ndarray) -> np.ndarray:
        return -np.eye(self.dimension)[0]
