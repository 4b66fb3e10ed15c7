"""Limits chosen from scenarios of the base, from the records of the cells of a list.

A list's members are tested in their order: those before the first that fails carry the risk that
was asked for, and the last of them is the choice (docs/bounds.md, section 12). It says nothing of
training, nor of any policy that is not in the list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sport_ray.bounds import limit_choice


class Choice(NamedTuple):
    """What a list's scenarios allow at one risk.

    passed: ids of the members that carry it, in order; the last of them is chosen, none if empty.
    """

    list_id: str
    level: float
    size: int
    passed: tuple[str, ...]


def choices_of(records: Iterable[Mapping[str, Any]]) -> list[Choice]:
    """Each list's choice at each of its risks; a member that is missing or failed ends the test.

    records: cells' records, or rows of a results table as plain values.
    """
    lists: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        if record.get("limit_list") is not None:
            lists.setdefault(str(record["limit_list"]), []).append(record)
    found = []
    for list_id, cells in lists.items():
        by_rank = {int(cell["limit_rank"]): cell for cell in cells}
        size = int(cells[0]["limit_size"])
        bounds: list[float | None] = []
        for rank in range(1, size + 1):
            cell = by_rank.get(rank, {})
            tested = cell.get("limit_bound") if cell.get("status") == "finished" else None
            bounds.append(None if tested is None else float(tested))
        for level in levels_of(cells[0]):
            count = limit_choice(bounds, level)
            passed = tuple(str(by_rank[rank]["cell_id"]) for rank in range(1, count + 1))
            found.append(Choice(list_id, level, size, passed))
    return found


def levels_of(record: Mapping[str, Any]) -> list[float]:
    """The risks that a cell's list is tested for, rising."""
    return [float(text) for text in str(record["limit_levels"]).split(", ")]


def risks_from_data(choices: Iterable[Choice]) -> dict[str, float]:
    """The smallest risk that each cell carries by its list's test; cells without one left out."""
    found: dict[str, float] = {}
    for choice in choices:
        for cell in choice.passed:
            found[cell] = min(choice.level, found.get(cell, choice.level))
    return found
