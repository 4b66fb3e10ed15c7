"""The figures of the conservativeness study, in the look of the report's."""

from __future__ import annotations

from tracking import drawing as drawing  # before matplotlib
from tracking.conservativeness.figures.growth import draw_growth
from tracking.conservativeness.figures.ladder import draw_ladder
from tracking.conservativeness.figures.parts import draw_parts
from tracking.conservativeness.figures.spending import draw_spending

__all__ = ["draw_growth", "draw_ladder", "draw_parts", "draw_spending"]
