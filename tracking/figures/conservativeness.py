"""The figures of the conservativeness study, in the look of the report's."""

from __future__ import annotations

from sport_ray.tracking import drawing as drawing  # before matplotlib
from sport_ray.tracking.figures.conservativeness_growth import draw_growth
from sport_ray.tracking.figures.conservativeness_ladder import draw_ladder
from sport_ray.tracking.figures.conservativeness_parts import draw_parts
from sport_ray.tracking.figures.conservativeness_spending import draw_spending

__all__ = ["draw_growth", "draw_ladder", "draw_parts", "draw_spending"]
