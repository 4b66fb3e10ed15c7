"""How conservative the promises of a study were, where that comes from, and how it grows.

``write_conservativeness(results_dir)`` writes the page, its figures and tables; the tables alone
come from ``ladder_table``, ``decompose``, ``spending_table`` and ``growth_table``, which are pure.
"""

from __future__ import annotations

from tracking.conservativeness.decomposition import decompose
from tracking.conservativeness.growth import growth_table
from tracking.conservativeness.ladder import ladder_table
from tracking.conservativeness.spending import spending_table

__all__ = ["decompose", "growth_table", "ladder_table", "spending_table"]
