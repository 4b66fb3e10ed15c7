"""The cell by which a method is judged at a risk, and whether it may count there.

At risk ε a policy counts if its bound is at most ε: the prior bound of what is promised
beforehand, the test on base scenarios of a limit from data, the posterior bound of everything
else. An expected risk is no bound of the policy at hand, so such methods are judged by their
posterior bound, too. What does not count scores 0, and says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sport_ray.tracking.benchmark.folder import BenchFolder, Row
from sport_ray.tracking.benchmark.gains import Gain
from sport_ray.tracking.benchmark.manifest import Method
from sport_ray.tracking.results.labels import bound_text

COUNTED, ABOVE, OUT_OF_REACH = "counted", "bound above", "out of reach"
FAILED, UNFINISHED, REFUTED, BROKEN = "failed", "unfinished", "refuted", "constraint broken"
STATES = {
    COUNTED: "its bound is at most the level",
    ABOVE: "its bound is above the level: score 0",
    OUT_OF_REACH: "the base itself is not certified for the level: score 0, it acts as the base",
    FAILED: "its cell failed: score 0",
    UNFINISHED: "its cell has not been run: no score",
    REFUTED: "the data contradict the study's promises: score 0",
    BROKEN: "it left its constraint in evaluation: score 0",
}
"""What a score's state says; scores of a base without a gain to share are missing besides."""


@dataclass(frozen=True)
class Judged:
    """What stands for a method at one risk and seed. bound: by what `judged_by` names."""

    state: str
    judged_by: str
    reason: str = ""
    value: float | None = None
    bound: float | None = None
    rate: float | None = None
    scenarios: int | None = None
    cell_id: str | None = None


def judge(folder: BenchFolder, method: Method, level: float, seed: int) -> Judged | None:
    """The judgement of one method, risk and seed; None where the study has nothing of the kind."""
    if method.name in folder.about.left_out:
        return None
    cell, by = _cell(folder, method, level, seed)
    if cell is None:
        return _without(folder, method, level, seed)
    one = Judged(COUNTED, by, cell_id=str(cell["cell_id"]))
    if cell["status"] != "finished":
        return replace(one, state=FAILED, reason=cell["reason"] or "no reason was recorded")
    bound = cell[{"data": "limit_bound"}.get(by, f"{by}_bound")]
    one = replace(
        one,
        value=cell[folder.gain.measure.column],
        bound=bound,
        rate=cell["empirical_violation_rate"],
        scenarios=int(cell["num_scenarios"]),
    )
    if by != "posterior" and folder.refuted:
        return replace(one, state=REFUTED, reason="the data contradict a promise of this study")
    if by != "posterior" and not cell["constraint_held"]:
        return replace(one, state=BROKEN, reason="it left its constraint in evaluation")
    if bound is None or not bound <= level:
        said = "nothing is promised" if bound is None else f"{by} bound {bound_text(bound)}"
        return replace(one, state=ABOVE, reason=f"{said}, above {level:g}")
    return one


def _cell(folder: BenchFolder, method: Method, level: float, seed: int) -> tuple[Row | None, str]:
    """The cell, and by what it is judged."""
    by = "prior" if method.promise == "prior" else "posterior"
    cells = [row for row in folder.cells(method) if row["seed"] == seed]
    whole = folder.missing[method.source or ""] == 0
    if not method.from_list:
        return (_at(cells, level, whole) if method.constraint else _free_at(cells, level)), by
    if not whole and any(_unfinished(cells)):  # its other members may pass, or end the test
        return None, by
    for list_id in dict.fromkeys(row["limit_list"] for row in cells):
        passed = folder.choices.get((method.kind, list_id, level), ())
        if passed and not folder.refuted:
            return folder.by_id[passed[-1]], "data" if method.promise == "data" else by
    # Where none passes the limit that follows from the certificate alone stands.
    fixed = folder.cells(method.model_copy(update={"kind": "cells"}))
    prior = _at([row for row in fixed if row["seed"] == seed], level, whole)
    return (prior if cells else None), "prior" if method.promise == "data" else by


def _unfinished(cells: list[Row]) -> Iterator[bool]:
    """Of each list whether members of it have not been run."""
    for list_id in dict.fromkeys(row["limit_list"] for row in cells):
        members = [row for row in cells if row["limit_list"] == list_id]
        yield len(members) < members[0]["limit_size"]


def _at(cells: list[Row], level: float, whole: bool) -> Row | None:
    """The cell derived from the level, or else from a lower one, whose promise holds there too.

    A study has one cell where a constraint is the same at several levels. whole: no cell is
    missing, which could be this level's.
    """
    known = [row for row in cells if row["eps_max"] is not None]
    if not whole:
        known = [row for row in known if row["eps_max"] == level]
    within = [row for row in known if row["eps_max"] <= level]
    return max(within, key=lambda row: row["eps_max"], default=None)


def _free_at(cells: list[Row], level: float) -> Row | None:
    """The policy as it is: that of this level, or the only one there is."""
    of_level = [row for row in cells if row["eps_max"] == level]
    return next(iter(of_level or [row for row in cells if row["eps_max"] is None]), None)


def _without(folder: BenchFolder, method: Method, level: float, seed: int) -> Judged | None:
    by = "prior" if method.promised else "posterior"
    limited = method.promised or method.from_list
    beyond = limited and folder.gain.base and folder.gain.eps_base > level
    if beyond and folder.has(method):
        return base_alone(folder.gain, by, seed)
    if folder.missing[method.source or ""]:
        return Judged(UNFINISHED, by, "its cell has not been run")
    if not folder.has(method):  # it does not fit the base
        return None
    return Judged(UNFINISHED, by, "the study has no such cell")


def base_alone(gain: Gain, by: str, seed: int) -> Judged:
    """Out of reach: the base alone may act, and not even that is promised."""
    reason = f"the base itself is certified to {bound_text(gain.eps_base)} only"
    own = gain.base.get(seed)
    one = Judged(OUT_OF_REACH, by, reason, bound=gain.eps_base)
    if own is None:
        return one
    return replace(
        one,
        value=own[gain.measure.column],
        rate=own["empirical_violation_rate"],
        scenarios=int(own["num_scenarios"]),
    )
