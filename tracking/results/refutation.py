"""The alarm: promises that the evaluation of their own policy refutes.

A promise says that a cell's violation probability is at most b. It is refuted where the lower
confidence limit from the cell's fresh scenarios lies above b, at ``LEVEL`` for all cells of the
study together: Bonferroni over the planned cells, two promises each (prior and off-policy bound).
If every promise is true there is an alarm with probability at most ``LEVEL`` (docs/bounds.md, 1).

One refuted cell stops all claims of its study: all prior bounds rest on one certificate of one
world, and it is not this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sport_ray.bounds import excess_p_value, scenario_lower_bound
from sport_ray.certificates.promise import REFUTATION_LEVEL as LEVEL
from sport_ray.errors import UserError

PROMISES = {
    "prior_bound": "the prior bound",
    "off_policy_bound": "the off-policy bound",
    "limit_bound": "the test of its limit",
}
EXIT_STATUS = 3
"""Of a command whose study the data refute; 2 is a mistake of the user's, 1 a check that failed."""
LOOK_AT = (
    "Look at what differs from the certificate's world: environment code and constants, installed "
    "versions, initial states, time limit; then certify anew."
)


class Refutation(NamedTuple):
    """A promise that a cell's own evaluation refutes.

    name: the promise in words; lower: limit of the cell's violation probability from below, at
    `level`; p_value: P(so many violations or more) were the promise true.
    """

    cell_id: str
    name: str
    setting: str
    promised: float
    num_violations: int
    num_scenarios: int
    lower: float
    level: float
    p_value: float

    @property
    def text(self) -> str:
        """What was promised, what was seen, and how likely that was; cell and setting not named."""
        from sport_ray.tracking.results.labels import bound_text, p_value_text, rate_text

        return (
            f"{self.name} says at most {bound_text(self.promised)}, "
            f"{self.num_violations:,} of {self.num_scenarios:,} scenarios violated "
            f"({rate_text(self.num_violations / self.num_scenarios)}; p = "
            f"{p_value_text(self.p_value)})"
        )


def level_of(planned: int) -> float:
    """The level at which each promise of a study of so many cells is judged."""
    return LEVEL / (len(PROMISES) * max(planned, 1))


def judge(record: Mapping[str, Any], planned: int) -> Refutation | None:
    """The promise of a cell that its evaluation refutes most clearly; None if it refutes none.

    record: a cell's record, or its row in a results table as plain values. planned: cells of the
    study. A cell that was not evaluated, or was promised nothing, refutes nothing.

    Raises:
        ValueError: counts that are no counts, by name.
    """
    scenarios, violations = record.get("num_scenarios"), record.get("num_violations")
    if record.get("status") != "finished" or scenarios is None or violations is None:
        return None
    level = level_of(planned)
    lower = scenario_lower_bound(int(scenarios), int(violations), level)
    broken = [
        (float(record[name]), name)
        for name in PROMISES
        if record.get(name) is not None and record[name] < lower
    ]
    if not broken:
        return None
    promised, name = min(broken)
    return Refutation(
        str(record["cell_id"]),
        PROMISES[name],
        _setting(record),
        promised,
        int(violations),
        int(scenarios),
        lower,
        level,
        excess_p_value(int(scenarios), int(violations), max(promised, 0.0)),
    )


def find_refutations(
    records: Sequence[Mapping[str, Any]], planned: int | None = None
) -> tuple[Refutation, ...]:
    """All refuted cells, the base itself (α = 1) first, then by how clearly.

    planned: cells of the study; never taken to be fewer than there are records.
    """
    count = max(planned or 0, len(records))
    alphas = {str(record.get("cell_id")): record.get("alpha") for record in records}
    found = [one for record in records if (one := judge(record, count)) is not None]
    return tuple(
        sorted(found, key=lambda one: (alphas[one.cell_id] != 1.0, one.p_value, one.cell_id))
    )


def is_refuted(table: Any) -> bool:
    """Whether any row of a results table, or of its `aggregate`, is refuted."""
    return "refuted" in table and bool(table["refuted"].any())


def headline(refuted: Sequence[Refutation]) -> str:
    """One line for the top of console and page; "" where nothing is refuted."""
    if not refuted:
        return ""
    first, count = refuted[0], len(refuted) - 1
    others = f"; and {count} more cell{'s' if count > 1 else ''}" if count else ""
    return (
        f"REFUTED: the data contradict this study's promises. Cell {first.cell_id} "
        f"({first.setting}): {first.text}{others}. Nothing here is certified. "
        f"{LOOK_AT}"
    )


def require_unrefuted(refuted: Sequence[Refutation], what: str) -> None:
    """Refuse to do `what` with a study that its own data refute.

    Raises:
        UserError: naming the cell, what was promised and what was seen.
    """
    if refuted:
        raise UserError(f"{what}: {headline(refuted)}")


def _setting(record: Mapping[str, Any]) -> str:
    from sport_ray.tracking.results.labels import setting_text

    name = setting_text(record)
    base = ", the base itself" if record.get("alpha") == 1.0 else ""
    return f"{name}{base}, T = {record['horizon']}, seed {record['seed']}"
