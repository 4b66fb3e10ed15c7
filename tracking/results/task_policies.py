"""Where task policies came from, as records have it, and what that makes a series.

A *series* is what shares a line, a marker and a name: the source of the policy, and whether it was
projected. Projected PPO trains under its constraint; the policy of any other source is used as it
is, and projected onto constraints that it has never seen. Selection chooses among samples of the
base: under a constraint, or without any limit. A series is written
``METHOD:SOURCE``; for PPO's policies ``METHOD`` alone, since there the method implies the source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `sport-ray status` needs none
    import pandas as pd

    Row = Mapping[str, Any] | pd.Series

AS_IT_IS, PROJECTED = "unprojected", "projected_at_deployment"
SELECTION, UNLIMITED = "selection", "selection_unlimited"
PPO = {
    ("projected_ppo", True): "projected_ppo",
    ("unconstrained", True): PROJECTED,
    ("unconstrained", False): "unconstrained",
}
"""Series of PPO's policies, by source and whether they are projected."""
METHODS = {
    "projected_ppo": "Projected PPO",
    PROJECTED: "Projected at deployment",
    "unconstrained": "Unconstrained",
    AS_IT_IS: "As it is",
}
"""Names of methods, in their order."""
TITLES = {
    "projected_ppo": "Projected PPO",
    "unconstrained": "Unconstrained PPO",
    "soft_actor_critic": "Soft actor-critic",
    "scpo": "SCPO",
    "presa": "PreSa",
    "ppo_lagrangian": "PPO-Lagrangian",
    "focops": "FOCOPS",
    "kl_ppo": "KL-regularised PPO",
    "simplex": "Simplex switch",
    "imported": "Imported",
    "critic": "Selection, critic",
    "critic_iterated": "Selection, iterated critic",
    "task_density": "Selection, task density",
    "projected_ppo_selection": "Selection, PPO on the index",
    "base": "The base itself",
}
"""Names of sources; others are called by their own."""
SELECTIONS = tuple(source for source, title in TITLES.items() if title.startswith("Selection, "))
"""Sources of ways to choose among samples of the base."""
TRAINED_UNDER = ("projected_ppo", "projected_ppo_selection")
"""Sources that train under the constraint that their policy is used with."""
UNBOUNDED = ("unconstrained", "soft_actor_critic")
"""Sources that train without any bound: what the paper's first experiment projects at deployment.
"""
_HOW = {AS_IT_IS: "as it is", PROJECTED: "projected"}


def series_of_row(row: Row) -> str:
    """The series of a record or a row.

    >>> series_of_row({"source": "unconstrained", "projected": True})
    'projected_at_deployment'
    >>> series_of_row({"source": "scpo", "projected": False})
    'unprojected:scpo'
    >>> series_of_row({"source": "critic", "projected": True})
    'selection:critic'
    """
    return _series(str(row["source"]), bool(row["projected"]))


def _series(source: str, projected: bool) -> str:
    held, free = (SELECTION, UNLIMITED) if source in SELECTIONS else (PROJECTED, AS_IT_IS)
    return PPO.get((source, projected), f"{held if projected else free}:{source}")


def series_of(table: pd.DataFrame) -> pd.Series:
    """The series of each row of a table of cells or settings."""
    import pandas as pd

    rows = zip(table["source"], table["projected"], strict=True)
    named = [_series(str(source), bool(projected)) for source, projected in rows]
    return pd.Series(named, index=table.index, dtype=object)


def parts_of_series(series: str) -> tuple[str, str]:
    """Method and source; the source is "" where the method tells it."""
    method, _, source = series.partition(":")
    return method, source


def series_text(series: str) -> str:
    """A series in words.

    >>> [series_text(one) for one in ("unprojected:scpo", "projected_at_deployment:presa")]
    ['SCPO, as it is', 'PreSa, projected']
    >>> [series_text(one) for one in ("selection:critic", "selection_unlimited:critic")]
    ['Selection, critic', 'Selection, critic, unlimited']
    """
    method, source = parts_of_series(series)
    if not source:
        return METHODS.get(method, method)
    if method in (SELECTION, UNLIMITED):
        return TITLES.get(source, source) + (", unlimited" if method == UNLIMITED else "")
    return f"{TITLES.get(source, source)}, {_HOW.get(method, METHODS.get(method, method))}"


def experiment_of(table: pd.DataFrame) -> pd.Series:
    """Which of the paper's two experiments each row repeats, by its method; None of others."""
    import pandas as pd

    rows = zip(table["source"], table["projected"], strict=True)
    named = [_experiment(str(source)) if projected else None for source, projected in rows]
    return pd.Series(named, index=table.index, dtype=object)


def _experiment(source: str) -> str | None:
    return PROJECTED if source in UNBOUNDED else PPO.get((source, True))


def is_selection(series: str) -> bool:
    """Whether a series chooses among samples of the base, with a constraint or without."""
    return parts_of_series(series)[0] in (SELECTION, UNLIMITED)


def is_free(series: str) -> bool:
    """Whether a series acts under no constraint."""
    return parts_of_series(series)[0] in (AS_IT_IS, UNLIMITED, "unconstrained")


def plain_name(row: Row) -> str:
    """The series of a record as logs have it.

    >>> plain_name({"source": "scpo", "projected": True})
    'scpo projected_at_deployment'
    """
    method, source = parts_of_series(series_of_row(row))
    return f"{source} {method}".lstrip()


def has_other_sources(table: pd.DataFrame) -> bool:
    """Whether a study has a source of task policies beside PPO."""
    return not table["source"].isin({source for source, _ in PPO}).all()
