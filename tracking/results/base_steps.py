"""The base's own time to goal at a T, from the outcome table of its certificate.

The scenarios of the certificate run to the longest T, so they answer for every shorter one: at T
the base takes the mean of the steps of those that satisfied the property by then. It is the same
definition as a cell's ``mean_steps_to_goal``.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sport_ray.tracking.results.folder import ResultFolder


class BaseSteps(NamedTuple):
    """Mean and standard error over scenarios that satisfied the property by T, and their number."""

    mean: float
    error: float
    scenarios: int


def base_steps(folder: Path, certificate: dict[str, Any] | None, horizon: int) -> BaseSteps | None:
    """The base at T, from the table that the certificate rests on; None where that is not known.

    A table that is not the certificate's (by its sha256), or cannot be read, says nothing. Without
    a table the certificate's own mean speaks for its longest T, and for no other.
    """
    if certificate is None:
        return None
    reached = _satisfied_at(ResultFolder(folder).outcomes, certificate["outcomes"]["sha256"])
    if reached is not None and horizon <= certificate["max_horizon"]:
        return _summary(reached[(reached >= 0) & (reached <= horizon)])
    mean, spread = (certificate[f"{name}_steps_to_goal"] for name in ("mean", "std"))
    if mean is None or horizon != certificate["max_horizon"]:
        return None
    count = int(certificate["num_scenarios"]) - int(certificate["table"]["num_violations"][-1])
    if count < 1:
        return None
    error = math.nan if spread is None else float(spread) / math.sqrt(count)
    return BaseSteps(float(mean), error, count)


def _summary(steps: np.ndarray) -> BaseSteps | None:
    if not steps.size:
        return None
    spread = float(steps.std(ddof=1)) if steps.size > 1 else math.nan
    return BaseSteps(float(steps.mean()), spread / math.sqrt(steps.size), int(steps.size))


def _satisfied_at(file: Path, sha256: str) -> np.ndarray | None:
    """First step of each scenario from which on the property holds; −1 where there is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = file.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            return None
        table = pq.read_table(pa.BufferReader(content), columns=["satisfied_at"])
        found: np.ndarray | None = table.column("satisfied_at").to_numpy()
        return found
    except (OSError, pa.ArrowException):
        return None
