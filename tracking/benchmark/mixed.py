"""Policies drawn at the start of an episode, from the records of those that are drawn: exact.

The coin flip plays unconstrained PPO with the probability that the risk allows, else the base; a
random budget draws between two cells of the study. What such a policy is worth is a mean over its
parts, so no scenario need be run for it. Which two are mixed is picked by the other seeds' cells
and judged by this seed's: picked by all, the best of many would flatter itself. Where `sport-ray
mix` has run the best mixture on fresh scenarios, these are taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from sport_ray.bounds.mixture import best_mixture, mixture_bound
from sport_ray.tracking.analysis.speedup import coin_flip_share
from sport_ray.tracking.benchmark.folder import BenchFolder
from sport_ray.tracking.benchmark.gains import TASK_STEPS
from sport_ray.tracking.benchmark.judge import (
    COUNTED,
    REFUTED,
    UNFINISHED,
    Judged,
    base_alone,
)
from sport_ray.tracking.results.kinds import class_of
from sport_ray.tracking.results.mixtures import BEST, read_mixtures, saved_by_seed
from sport_ray.tracking.results.task_policies import PPO

COIN_FLIP, MIXTURE = "coin_flip", "mixture"
"""Kinds of methods that have no cells of their own."""


Row = Mapping[str, Any]
_SOURCES = {source for source, _ in PPO}


class Part(NamedTuple):
    """A setting that may be drawn: its bound, at most 1, and its cells by seed."""

    bound: float
    cells: Mapping[int, Row]


def judge_mixed(folder: BenchFolder, kind: str, level: float, seed: int) -> Judged:
    """The judgement of a mixture at one risk and seed, promised before it acts."""
    gain = folder.gain
    if folder.refuted:
        return Judged(REFUTED, "prior", "the data contradict a promise of this study")
    if gain.eps_base > level and gain.base:
        return base_alone(gain, "prior", seed)
    if seed not in gain.base or seed not in gain.free:
        return Judged(UNFINISHED, "prior", "the base's cell or unconstrained PPO's is not there")
    if kind == COIN_FLIP:
        p = coin_flip_share(level, gain.eps_base)
        rows = {0: gain.base[seed], 1: gain.free[seed]}
        return _judged(folder, {0: 1.0 - p, 1: p}, rows, level)
    return _run_afresh(folder, level, seed) or _from_records(folder, level, seed)


def _judged(
    folder: BenchFolder, weights: Mapping[int, float], rows: Mapping[int, Row], bound: float
) -> Judged:
    return Judged(
        COUNTED,
        "prior",
        value=folder.gain.mixed(weights, rows),
        bound=bound,
        rate=math.fsum(w * rows[key]["empirical_violation_rate"] for key, w in weights.items()),
    )


def _run_afresh(folder: BenchFolder, level: float, seed: int) -> Judged | None:
    """What `sport-ray mix` found; None where it has not run for this."""
    certificate = (folder.results.certificate or {}).get("digest")
    if folder.gain.measure is not TASK_STEPS:
        return None
    for row in read_mixtures(folder.results.path, certificate):
        wanted = (BEST, level, int(folder.rows[0]["horizon"]))
        saved = saved_by_seed(row)
        if (row["kind"], row["eps_max"], row["horizon"]) == wanted and seed in saved.index:
            own = next(one for one in row["seeds"] if one["seed"] == seed)
            slow = folder.gain.base[seed][TASK_STEPS.column]
            return Judged(
                COUNTED,
                "prior",
                value=float(slow - saved[seed]),
                bound=row["bound"],
                rate=own["num_violations"] / own["num_scenarios"],
                scenarios=int(own["num_scenarios"]),
            )
    return None


def _from_records(folder: BenchFolder, level: float, seed: int) -> Judged:
    """The best mixture by the other seeds, as this seed's cells have it."""
    others = sorted((set(folder.gain.base) & set(folder.gain.free)) - {seed})
    if not others:
        return Judged(UNFINISHED, "prior", "picked by other seeds' cells, and there are none")
    parts = [one for one in parts_of(folder) if {seed, *others} <= set(one.cells)]
    gains = [_gain(folder, one, others) for one in parts]
    known = [i for i, gain in enumerate(gains) if math.isfinite(gain)]
    weights = best_mixture([(parts[i].bound, gains[i]) for i in known], level)
    bound = mixture_bound(weights, [parts[i].bound for i in known])
    used = {i: w for i, w in zip(known, weights, strict=True) if w > 0}
    return _judged(folder, used, {i: parts[i].cells[seed] for i in used}, bound)


def parts_of(folder: BenchFolder) -> list[Part]:
    """What may be mixed: the base, unconstrained PPO, and settings of PPO that are promised.

    Left out are kinds whose bound has a confidence of its own, and settings of which a cell left
    its constraint.
    """
    gain = folder.gain
    found = [Part(gain.eps_base, gain.base), Part(1.0, gain.free)]
    settings: dict[tuple[Any, ...], dict[int, Row]] = {}
    for row in folder.rows:
        kind = class_of(row["constraint"])
        plain = row["eps_max"] is not None and row["projected"] and row["source"] in _SOURCES
        if plain and row["status"] == "finished" and kind is not None and kind.simultaneous:
            key = (row["source"], row["constraint"], row["eps_max"])
            settings.setdefault(key, {})[int(row["seed"])] = row
    for cells in settings.values():
        bounds = [row["prior_bound"] for row in cells.values()]
        if all(row["certified"] for row in cells.values()) and None not in bounds:
            found.append(Part(min(1.0, max(bounds)), cells))
    return found


def _gain(folder: BenchFolder, part: Part, seeds: list[int]) -> float:
    column = folder.gain.measure.column
    each = [folder.gain.gained(part.cells[seed][column], seed) for seed in seeds]
    return math.fsum(each) / len(each)
