"""Published numbers, one table per paper, as printed or read off its figures.

``counted_from`` is the number that the authors' own code gives the first action of an episode: the
number of actions is what is printed + 1 − counted_from, of steps and of T alike. The authors of
arXiv 2504.06386 count from 0 (all but the first episode of a slot in their scenario database):
printed T = 21 is 22 actions, 14.0 steps are 15.0. Differences of steps are the same either way.

``reading_error``, where a table has it: how far a number of steps that was read may be off.
"""

from __future__ import annotations

from importlib import resources
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a study file that is checked needs none
    import pandas as pd

READING_ERROR = 0.05
"""Steps: half of the last digit that is printed."""


def published_names() -> list[str]:
    """The published tables that there are."""
    folder = resources.files(__name__)
    return sorted(
        one.name.removesuffix(".csv") for one in folder.iterdir() if one.name.endswith(".csv")
    )


def published_text(name: str) -> str:
    """A table as CSV. Raises FileNotFoundError for an unknown name."""
    return (resources.files(__name__) / f"{name}.csv").read_text("utf-8")


def read_published(name: str) -> pd.DataFrame:
    """A table as printed, with ``horizon_actions`` and ``steps_actions`` beside it.

    ``violation_rate`` is text, such as '<0.01'. Raises FileNotFoundError for an unknown name.
    """
    import pandas as pd

    found = pd.read_csv(StringIO(published_text(name)), dtype={"violation_rate": str})
    more = 1 - found["counted_from"]
    found["horizon_actions"] = found["horizon"] + more
    found["steps_actions"] = found["mean_steps_to_goal"] + more
    if "reading_error" not in found:
        found["reading_error"] = READING_ERROR
    return found
