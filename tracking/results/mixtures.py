"""Mixtures of a study's cells as they lie in its result folder: chosen, then run afresh.

One row per T, ε_max and kind: the best mixture, the best one setting, and the coin flip, all three
run on the same fresh scenarios as the base (``num_scenarios`` of each seed). What a row's parts
were picked by is ``expected_saved``, from the cells' own evaluation: the best of many, and so
optimistic. What ``seeds`` hold was not looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sport_ray.canonical import digest
from sport_ray.errors import UserError
from sport_ray.tracking.results.folder import damaged, read_object

MIX = "`sport-ray mix`"
FILE = "mixtures.json"
SCHEMA = "sport-ray/mixtures/1"
BEST, SINGLE, COIN_FLIP = "mixture", "single", "coin flip"
KINDS = {
    BEST: "random budget, best mixture (fresh scenarios)",
    SINGLE: "best one setting (fresh scenarios)",
    COIN_FLIP: "coin flip (fresh scenarios)",
}
"""In words, as tables have them."""
_FIELDS = {
    "horizon": int,
    "eps_max": float,
    "kind": str,
    "bound": float,
    "weights": list,
    "parts": list,
    "expected_saved": float,
    "seeds": list,
}


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """The content of the file with its digest."""
    return {**content, "digest": digest(content)}


def read_mixtures(root: Path, certificate_digest: str | None) -> list[dict[str, Any]]:
    """The rows of a result folder; none where there is no file, or it is of another certificate.

    Raises:
        UserError: a damaged file.
    """
    file = Path(root) / FILE
    content = read_object(file)
    if content is None or content.get("certificate") != certificate_digest:
        return []
    body = {name: value for name, value in content.items() if name != "digest"}
    rows = content.get("rows")
    if content.get("digest") != digest(body) or content.get("schema") != SCHEMA:
        raise UserError(damaged(file, "its digest does not match its content", MIX))
    if not isinstance(rows, list) or not all(_is_row(row) for row in rows):
        raise UserError(damaged(file, "has no list 'rows' of mixtures", MIX))
    return rows


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict) or set(row) != set(_FIELDS):
        return False
    return all(isinstance(row[name], kind) for name, kind in _FIELDS.items())


def saved_by_seed(row: dict[str, Any]) -> pd.Series:
    """Mean task steps of the base less the mixture's, by seed, on the same fresh scenarios."""
    return pd.Series(
        {one["seed"]: one["base_task_steps"] - one["mean_task_steps"] for one in row["seeds"]},
        dtype=np.float64,
    )


def worst(row: dict[str, Any]) -> tuple[float, float]:
    """Violation rate and posterior bound of the worst seed."""
    rates = [one["num_violations"] / one["num_scenarios"] for one in row["seeds"]]
    return max(rates), max(one["posterior_bound"] for one in row["seeds"])


def parts_text(row: dict[str, Any]) -> str:
    """What is mixed, in words: '0.44 of unconstrained, 0.56 of PPO, pathwise budget …'."""
    pairs = zip(row["weights"], row["parts"], strict=True)
    return ", ".join(f"{weight:.3g} of {part['name']}" for weight, part in pairs)
