"""FOCOPS: first-order constrained optimisation in policy space."""

from __future__ import annotations

from sport_ray.comparators.focops.loss import FirstOrderLoss
from sport_ray.comparators.focops.objective import FirstOrder

__all__ = ["FirstOrder", "FirstOrderLoss"]
