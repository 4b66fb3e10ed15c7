"""What a sweep says before a second is spent: what promises nothing, and what is to be done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sport_ray.bounds.perturbation import level_within
from sport_ray.certificates.promise import promised
from sport_ray.constraints import MustBeGivenError
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import perturbation, world_factor
from sport_ray.experiments.results.status import duration_text, read_status
from sport_ray.experiments.sweep.cell import Cell, Job
from sport_ray.experiments.sweep.evaluation import scenarios_per_cell
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.experiments.task_policies.source import source_class
from sport_ray.tracking.results.folder import ResultFolder
from sport_ray.tracking.results.kinds import PAPER

JUST_USEFUL = math.nextafter(1.0, 0.0)
"""A bound that says something, if next to nothing."""
MOST_HORIZONS = 4
"""That are named."""


def preflight_lines(plan: Plan, missing: Sequence[Job], folder: ResultFolder) -> list[str]:
    """Lines on what promises nothing, and on what is to be done.

    missing: the jobs that are left. folder: with the plan in it.
    """
    empty = _promise_line(plan)
    return [*([empty] if empty else []), _work_line(plan, missing, folder)]


def _promise_line(plan: Plan) -> str | None:
    """How many cells have a prior bound of 1 or more, and the largest α that has less.

    None where all promise something. A limit of a list, which data choose, is none of them.
    """
    world = perturbation(plan.study)._asdict()
    bounds = {
        cell: promised(plan.certificate, cell.constraint, cell.horizon, **world)
        for cell in plan.cells.values()
        if cell.place is None
    }
    made = {cell: bound for cell, bound in bounds.items() if bound is not None}
    empty = [cell for cell, bound in made.items() if not bound < 1.0]
    if not empty:
        return None
    given = {(c.horizon, c.constraint.order): c for c in empty if hasattr(c.constraint, "alpha")}
    told = [text for _, cell in sorted(given.items()) if (text := _useful(plan, cell))]
    more = f", … ({len(told)} in all)" if len(told) > MOST_HORIZONS else ""
    remedy = f": the largest useful α is {', '.join(told[:MOST_HORIZONS])}{more}" if told else ""
    return (
        f"{len(empty)} of {len(made)} cells with a limit promise nothing (their prior bound is "
        f"1 or more){remedy}"
    )


def _useful(plan: Plan, cell: Cell) -> str | None:
    """The largest α of the cell's kind whose bound is below 1, rounded down to three decimals.

    None where it is not known: a kind with more than an α, or that has no inverse.
    """
    own, horizon = cell.constraint, cell.horizon
    level = level_within(JUST_USEFUL, world_factor(plan.study, horizon))
    where = f"at T = {horizon}" + ("" if own.name == PAPER else f" ({own.title})")
    try:
        found = own.for_target(plan.certificate.evidence(horizon), level)
        if found.with_limit(own.limit) != own:
            return None
    except MustBeGivenError:
        return None
    except (UserError, ValueError):  # the base itself is certified to no less
        return f"none {where}"
    return f"{_floored(found.limit)} {where}"


def _floored(limit: float) -> str:
    """Rounded down to three decimals, and so shown.

    >>> _floored(1234.5678), _floored(1.05), _floored(20.0)
    ('1234.567', '1.05', '20')
    """
    return f"{math.floor(limit * 1e3) / 1e3:.3f}".rstrip("0").rstrip(".")


def _work_line(plan: Plan, missing: Iterable[Job], folder: ResultFolder) -> str:
    """Such as '7 cells to do: 2 training runs, 3500 scenarios; about 6 min'.

    The time is that which cells of the folder took before, where there are any.
    """
    jobs = list(missing)
    cells: list[Cell] = [
        cell for job in jobs for cell in job.cells if not folder.is_finished(cell.id)
    ]
    runs = sum(source_class(job.kind).trains for job in jobs)
    scenarios = len(cells) * scenarios_per_cell(plan.study)
    parts = [f"{runs} training run{'s' if runs != 1 else ''}"] if runs else []
    parts.append(f"{scenarios:,} scenarios")
    left = read_status(folder.root).seconds_left
    about = f"; about {duration_text(left)}, as the cells before took" if left else ""
    return f"{len(cells)} cell{'s' if len(cells) != 1 else ''} to do: {', '.join(parts)}{about}"
