"""What a certificate rests on, in words for its view."""

from __future__ import annotations

import json
from typing import Any

SHOWN = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Horizons of the table, as far as there are such; the last one of a certificate beside them."""
THEOREMS = {
    "fixed": "exact binomial (Clopper–Pearson) bound for k violations in N scenarios",
    "anytime": "any-time valid bound for k violations in N scenarios, N by a stopping rule",
}
"""By the rule of sampling."""
PROOFS = {"fixed": "docs/bounds.md, section 1", "anytime": "docs/bounds.md, section 2"}
MADE_WITH = ("sport-ray", "python", "gymnasium", "numpy", "torch")
"""Of the versions on record, those that a reader asks for first."""
RESTS_ON = (
    "this base policy, sampled (its mean action is another policy), in this environment with "
    "these arguments and its own initial states; episodes of at most T steps",
    "scenarios that are complete, independent, and planned before they were run",
    "the draw of the scenarios: the claim fails with probability at most β",
)


def arguments_text(arguments: dict[str, Any]) -> str:
    """Arguments of an environment, as JSON."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=False)
