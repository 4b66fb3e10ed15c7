"""The set of steps that the local model proves safe, and the projection onto it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from sport_ray.bounds.arguments import require_positive
from sport_ray.comparators.scpo.cone import project_by_cone_program
from sport_ray.comparators.scpo.local_model import Array, LocalModel

_SHRINKING = (*(1.0 - 10.0**-k for k in range(12, 0, -1)), 0.75, 0.5, 0.25, 0.1, 0.01, 0.001)
_SOLVER_ACCURACY = 1.0 - 1e-3


class Projection(NamedTuple):
    """Where to go from the origin, (d,), or None; and how it came about.

    inside: the raw step was in the region; projected: the closest point of the region; shrunk:
    the solver's answer, scaled down until it passed the check; infeasible: nothing passed.
    """

    theta: Array | None
    outcome: Literal["inside", "projected", "shrunk", "infeasible"]


@dataclass(frozen=True)
class SafeRegion:
    """Steps Δ with ‖Δ‖ ≤ radius and an upper bound of at most 0 on every constraint.

    The bound on constraint i is

        value_i + value_error_i + gradient_i·Δ + gradient_error_i‖Δ‖ + L_i‖Δ‖²/2 ≤ 0

    Each is convex, so the region is; with true errors and valid L_i, g(θ + Δ) ≤ 0 on all of it.
    """

    model: LocalModel
    smoothness: Array  # L, (m,)
    radius: float

    def __post_init__(self) -> None:
        require_positive("radius", self.radius)
        known = self.smoothness
        if known.ndim != 1 or not (np.isfinite(known) & (known >= 0.0)).all():
            raise ValueError(f"smoothness must be finite numbers of at least 0, got {known}")

    def upper(self, step: Array) -> Array:
        """The left side above at a step (d,), for every constraint (m,), rounded up.

        The rounding of a sum of d + 4 products is at most (d + 16)·2⁻⁵² of the sum of their
        absolute values: more than twice the standard bound.
        """
        model, length = self.model, float(np.linalg.norm(step))
        curved = model.gradient_error * length + 0.5 * self.smoothness * length**2
        value = model.value + model.value_error + model.gradient @ step + curved
        size = np.abs(model.value) + model.value_error + np.abs(model.gradient) @ np.abs(step)
        found: Array = np.nextafter(value + _rounding(step) * (size + curved), np.inf)
        return found

    def contains(self, step: Array) -> bool:
        """Whether a step is in the region, as evaluated in float64; False in any doubt."""
        length = float(np.linalg.norm(step)) * (1.0 + _rounding(step))
        return bool(length <= self.radius and (self.upper(step) <= 0.0).all())

    def project(self, origin: Array, step: Array) -> Projection:
        """From ``origin`` (d,) to the point of the region that is closest to a raw step (d,).

        Solved as a second-order cone program, to the solver's accuracy (about 1e-8 of the
        radius). What is checked by :meth:`contains` is the difference of the weights returned and
        the origin's, not the step as it was meant.
        """
        landed = self._landing(origin, step)
        if landed is not None:
            return Projection(landed, "inside")
        if not np.isfinite(step).all():
            return Projection(None, "infeasible")
        found = self._solve(step, self.radius)
        if found is not None and np.linalg.norm(found) < 0.1 * self.radius:
            # A region that is small beside the radius is smaller than the solver can see well:
            # solve again in units of the answer.
            found = self._solve(step, 10.0 * float(np.linalg.norm(found))) if found.any() else found
        if found is None:
            return Projection(None, "infeasible")
        for factor in (1.0, *_SHRINKING):
            landed = self._landing(origin, factor * found)
            if landed is not None:
                close = factor >= _SOLVER_ACCURACY
                return Projection(landed, "projected" if close else "shrunk")
        return Projection(None, "infeasible")

    def _solve(self, step: Array, radius: float) -> Array | None:
        model = self.model
        return project_by_cone_program(
            step,
            model.value + model.value_error,
            model.gradient,
            model.gradient_error,
            self.smoothness,
            radius,
        )

    def _landing(self, origin: Array, step: Array) -> Array | None:
        landed = origin + step
        return landed if self.contains(landed - origin) else None


def _rounding(step: Array) -> float:
    return (step.size + 16) * 2.0**-52
