"""How conservative the promises of a study were, where that comes from, and how it grows.

``write_conservativeness(results_dir)`` writes the page, its figures and tables; the tables alone
come from ``ladder_table``, ``decompose``, ``spending_table`` and ``growth_table``, which are pure.
"""

from __future__ import annotations

from sport_ray.tracking.analysis.conservativeness.decomposition import decompose
from sport_ray.tracking.analysis.conservativeness.growth import growth_table
from sport_ray.tracking.analysis.conservativeness.ladder import ladder_table
from sport_ray.tracking.analysis.conservativeness.spending import spending_table

__all__ = ["decompose", "growth_table", "ladder_table", "spending_table"]
