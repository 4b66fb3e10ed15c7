"""A policy's numbers at one observation, with torch and numpy alone."""

from sport_ray.forward.heads import ToAction
from sport_ray.forward.row import RowPolicy

__all__ = ["RowPolicy", "ToAction"]
