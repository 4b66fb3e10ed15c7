"""Mixtures of a study's finished cells: what each setting gains at what bound, and the best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from sport_ray.bounds.mixture import best_mixture
from sport_ray.bounds.perturbation import level_within
from sport_ray.certificates import Certificate
from sport_ray.certificates.promise import promised
from sport_ray.constraints import Constraint, Evidence, Unconstrained
from sport_ray.constraints.mixture import Mixture
from sport_ray.errors import UserError
from sport_ray.experiments.config.environment import perturbation, world_factor
from sport_ray.experiments.sweep.cell import Cell
from sport_ray.experiments.sweep.plan import Plan
from sport_ray.plugins import is_plugin
from sport_ray.tracking.results.labels import setting_text
from sport_ray.tracking.results.mixtures import BEST, COIN_FLIP, SINGLE
from sport_ray.tracking.results.task_policies import UNBOUNDED

LEAST_GAIN = 1e-6
"""Steps that a mixture must gain over one setting to be worth it."""


class Setting(NamedTuple):
    """One setting of a study at a T, over its seeds.

    bound: of its violation probability, in the certificate's world; 1 where nothing is promised.
    saved: mean task steps of the base less its own, of its cells' evaluation, mean over seeds.
    """

    name: str
    cells: dict[int, Cell]
    bound: float
    saved: float

    @property
    def constraint(self) -> Constraint:
        """That of each of its cells."""
        return next(iter(self.cells.values())).constraint

    @property
    def source(self) -> str:
        """Who made its policies."""
        return next(iter(self.cells.values())).source


class Mixed(NamedTuple):
    """Settings that are mixed for a level of risk; bound: what is promised of the mixture."""

    horizon: int
    eps_max: float
    kind: str
    settings: tuple[Setting, ...]
    mixture: Mixture
    bound: float

    @property
    def saved(self) -> float:
        """Σ w_i · saved_i, of the settings' own evaluation: optimistic, since they were picked."""
        pairs = zip(self.mixture.weights, self.settings, strict=True)
        return math.fsum(weight * one.saved for weight, one in pairs)


def settings_at(plan: Plan, frame: pd.DataFrame, horizon: int) -> list[Setting]:
    """What can be mixed at a T: settings of which every seed is finished; the base first.

    Left out: other sources than ``mixtures.sources``, a kind whose bound has a confidence of its
    own, plug-ins, and cells that did not keep to their constraint.

    Raises:
        UserError: no cell that is the base itself (α = 1), or no steps of a task are counted.
    """
    done = frame[(frame["status"] == "finished") & frame["mean_task_steps"].notna()]
    records = [{str(name): value for name, value in row.items()} for row in
               done.to_dict("records")]  # fmt: skip
    rows = {str(row["cell_id"]): row for row in records}
    section, names = plan.study.mixtures, plan.study.sources
    mixed = (section and section.sources) or names
    seeds, evidence = plan.study.sweep.seeds, plan.certificate.evidence(horizon)
    groups: dict[tuple[object, ...], dict[int, Cell]] = {}
    for cell in plan.cells.values():
        key = (cell.source, cell.constraint, cell.eps_max, cell.hyperparameters)
        if cell.horizon == horizon:
            groups.setdefault(key, {})[cell.seed] = cell
    whole = [
        cells
        for cells in groups.values()
        if set(cells) == set(seeds) and all(cell.id in rows for cell in cells.values())
    ]
    base = next((cells for cells in whole if cells[seeds[0]].alpha == 1.0), None)
    if base is None:
        raise UserError(
            f"no finished cell at T = {horizon} is the base itself, with steps of a task, which "
            "gains are measured from: add 1 to sweep.alphas, or base to task_policies, and run the "
            "study again"
        )
    slow = {seed: float(rows[cell.id]["mean_task_steps"]) for seed, cell in base.items()}
    found = []
    for cells in [base, *(one for one in whole if one is not base)]:
        own = [rows[cell.id] for cell in cells.values()]
        bound = _bound(cells[seeds[0]].constraint, evidence)
        if cells is not base and cells[seeds[0]].source not in mixed:
            continue
        if bound is None or (bound < 1.0 and not all(row["constraint_held"] for row in own)):
            continue
        gains = [slow[seed] - float(rows[cell.id]["mean_task_steps"])
                 for seed, cell in cells.items()]  # fmt: skip
        saved = math.fsum(gains) / len(gains)
        found.append(Setting(setting_text(own[0]), cells, bound, saved))
    return found


def _bound(constraint: Constraint, evidence: Evidence) -> float | None:
    """The bound of a part, at most 1; None for one that cannot be one."""
    if isinstance(constraint, Unconstrained):
        return 1.0
    if is_plugin(constraint.name) or not constraint.simultaneous:
        return None
    bound = constraint.prior_bound(evidence)
    return 1.0 if bound is None else min(1.0, bound)


def mixtures_at(
    plan: Plan, settings: list[Setting], horizon: int, eps_max: float
) -> Iterator[Mixed]:
    """The best mixture for ε_max, the best one setting, and the coin flip.

    settings: of :func:`settings_at`.

    Raises:
        UserError: ε_max below what the base itself is certified for.
    """
    if not 0.0 < eps_max < 1.0:
        raise UserError(f"eps_max = {eps_max}: expected a probability between 0 and 1")
    level = level_within(eps_max, world_factor(plan.study, horizon))
    try:
        weights = best_mixture([(one.bound, one.saved) for one in settings], level)
    except ValueError:
        raise UserError(
            f"eps_max = {eps_max} cannot be reached at horizon {horizon}: the base policy itself "
            f"is certified only to {settings[0].bound:.4g}; raise eps_max"
        ) from None
    within = [one for one in settings if one.bound <= level]
    single = _mixed(
        plan, horizon, eps_max, SINGLE, [max(within, key=lambda one: one.saved)], (1.0,)
    )
    best = _mixed(plan, horizon, eps_max, BEST, settings, weights)
    # What rounding leaves below a level is no reason to mix.
    yield best if best.saved > single.saved + LEAST_GAIN else single._replace(kind=BEST)
    yield single
    free = [one for one in settings
            if one.source in UNBOUNDED and isinstance(one.constraint, Unconstrained)]  # fmt: skip
    if free and settings[0].bound < 1.0:
        pair = [settings[0], max(free, key=lambda one: one.saved)]
        weights = best_mixture([(pair[0].bound, 0.0), (1.0, 1.0)], level)
        yield _mixed(plan, horizon, eps_max, COIN_FLIP, pair, weights)


def _mixed(
    plan: Plan, horizon: int, eps_max: float, kind: str, settings: list[Setting],
    weights: tuple[float, ...],
) -> Mixed:  # fmt: skip
    pairs = [(w, one) for w, one in zip(weights, settings, strict=True) if w > 0.0]
    pairs.sort(key=lambda pair: pair[1].bound)  # the safer one first
    chosen = tuple(one for _, one in pairs)
    mixture = Mixture(tuple(w for w, _ in pairs), tuple(one.constraint for one in chosen))
    bound = promised_of(plan.certificate, mixture, horizon, perturbation(plan.study)._asdict())
    return Mixed(horizon, eps_max, kind, chosen, mixture, bound)


def promised_of(
    certificate: Certificate, mixture: Mixture, horizon: int, world: dict[str, float]
) -> float:
    """The mixture's promise in a world."""
    bound = promised(certificate, mixture, horizon, **world)
    assert bound is not None
    return bound
