"""The choice among candidates under a constraint, as rollouts and deployment run it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sport_ray.constraints import Constraint
from sport_ray.families import Categorical
from sport_ray.rollouts.behaviour import (
    AroundSampler,
    Draws,
    Generators,
    Step,
    Steps,
    UnderConstraint,
)
from sport_ray.samplers import BaseSampler
from sport_ray.selection.selector import Selector

Array = NDArray[np.float64]


class SelectionBehaviour(AroundSampler, UnderConstraint):
    """M actions of the base, one of which is chosen; ratios are of the index to a uniform one.

    The candidates are drawn before the score sees anything. Everything is float64; what is sampled
    from is checked by the constraint (docs/bounds.md, section 9).

    Raises:
        UserError: a constraint whose theorem does not hold for choices, or a score that cannot be
            used with the sampler.
    """

    def __init__(self, sampler: BaseSampler, selector: Selector, constraint: Constraint) -> None:
        constraint.require_family(Categorical)
        self.sampler = sampler
        self.selector = selector
        self.constraint = constraint
        self._score = selector.score.bound_to(sampler, constraint)

    def draw(self, observation: Array, generators: Generators) -> Draws:
        """M candidates, then the number that the index is drawn with."""
        count = self.selector.num_candidates
        candidates = self.sampler.sample_many(observation, count, generators)
        return Draws(Categorical.draw_rows(generators, 1), candidates)

    def step(
        self,
        observation: Array,
        state: Array,
        draws: Draws | None = None,
        taken: Steps | None = None,
    ) -> Step:
        """The index's distributions at observations (n, O) and states (n, S).

        Raises:
            ArithmeticError: weights that are no numbers, or a distribution outside the
                constraint's limit (must never happen).
        """
        assert draws is not None
        assert draws.candidates is not None
        assert taken is not None
        # What policies see, transitions keep and an audit log holds.
        with np.errstate(over="ignore"):
            observation = observation.astype(np.float32).astype(np.float64)
        limits = self.constraint.limits(state)
        weights = self._weights(observation, draws.candidates, limits, taken)
        count, options = weights.shape
        base = Categorical.uniform(count, options)
        task = Categorical.of_log_weights(weights)
        chosen = self.constraint.project(base, task, torch.from_numpy(limits))
        log_ratio = self.checked(chosen, base, limits)
        projected = chosen.differs(task).numpy()
        return Step(chosen, base, task, limits, log_ratio, projected, draws.candidates)

    def _weights(self, observation: Array, candidates: Array, limits: Array, taken: Steps) -> Array:
        """Log weights (n, M): one for each candidate, none of them NaN or inf, one finite a row.

        Raises:
            ArithmeticError: others.
        """
        # Copies: what is played, and how far it may go, is not for a score to write into.
        found = self._score.log_weights(observation, candidates.copy(), limits.copy(), taken.copy())
        weights = np.array(found, dtype=np.float64)
        name, expected = self.selector.score.name, candidates.shape[:2]
        # Fewer would leave candidates out by their values, at a ratio of 1.
        if weights.shape != expected:
            raise ArithmeticError(
                f"score {name!r} gives log weights of shape {weights.shape}, expected {expected}"
            )
        best = weights.max(axis=1)
        if not np.isfinite(best).all():  # NaN, +inf, or nothing to choose
            row = int(np.argmin(np.isfinite(best)))
            raise ArithmeticError(f"score {name!r} gives the log weights {weights[row].tolist()}")
        return weights
