"""What is calibrated: one function for each bound, which does the whole chain once.

A file in this folder that uses ``@calibrates`` is found by itself, with nothing to add elsewhere:

    @calibrates("ratio", 3, problem="…", control="…")
    def ratio(rng, wrong):
        ...  # certify, pick or train, with this generator and no other randomness
        return Trial(bound, truth)

The same function does the negative control: with ``wrong`` it returns what somebody would claim
who makes the mistake that ``control`` names. Its failures must be found, or the test has no teeth.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

BETA = 0.05
"""What every bound here may fail with."""
CALIBRATIONS: dict[str, Calibration] = {}
WATCHED = ("benchmarks.calibrated", "sport_ray.bounds", "sport_ray.constraints", "tests.exact_mdp")
"""Code whose change makes earlier repetitions worthless."""
STORE: Path | None = None
"""Where a problem that takes long to make may be kept; None: nowhere."""

Side = Literal["above", "below"]


class Trial(NamedTuple):
    """One repetition: what was claimed of a policy, and what is true of it.

    bound: None where nothing was claimed (an off-policy bound that was refused).
    truth: its violation probability, known exactly.
    """

    bound: float | None
    truth: float


Repetition = Callable[[np.random.Generator, bool], Trial]


class Calibration(NamedTuple):
    """A bound, the problem that it is held against, and how it is made wrong on purpose."""

    name: str
    section: int
    """Of docs/bounds.md."""
    problem: str
    """World, policy and event, in a line."""
    control: str
    """The mistake that the negative control makes, in a line."""
    repetition: Repetition
    side: Side
    """Where the bound lies; one below is a lower bound on the truth."""
    repeats: int | None
    """How many repetitions where the user asks for more; None: as many as asked for."""

    def failed(self, trial: Trial) -> bool:
        """Whether the truth is on the wrong side of what was claimed; no slack."""
        if trial.bound is None:
            return False
        if self.side == "below":
            return trial.bound > trial.truth
        return trial.bound < trial.truth

    def fingerprint(self) -> str:
        """sha256 (hex, 16 digits) of its file and of all that it uses of bounds and constraints."""
        return _code(self.repetition.__module__)


def calibrates(
    name: str,
    section: int,
    *,
    problem: str,
    control: str,
    side: Side = "above",
    repeats: int | None = None,
) -> Callable[[Repetition], Repetition]:
    """Register a function that does one repetition.

    Raises:
        ValueError: a name that is taken.
    """

    def register(repetition: Repetition) -> Repetition:
        if name in CALIBRATIONS:
            raise ValueError(f"calibration {name!r} is registered already")
        CALIBRATIONS[name] = Calibration(name, section, problem, control, repetition, side, repeats)
        return repetition

    return register


def load() -> dict[str, Calibration]:
    """All calibrations of this folder, by section and name."""
    here = Path(__file__).parent
    for found in pkgutil.iter_modules([str(here)]):
        importlib.import_module(f"{__package__}.{found.name}")
    ordered = sorted(CALIBRATIONS.values(), key=lambda one: (one.section, one.name))
    return {one.name: one for one in ordered}


def generator(name: str, seed: int, wrong: bool, index: int) -> np.random.Generator:
    """Of one repetition; it depends on nothing else, so any of them can be repeated alone."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return np.random.default_rng(np.random.SeedSequence([seed, key, int(wrong), index]))


@cache
def _code(module: str) -> str:
    found: set[str] = set()
    open_ = {module, __name__}
    while open_:
        name = open_.pop()
        found.add(name)
        values = vars(importlib.import_module(name)).values()
        used = {getattr(value, "__module__", None) or "" for value in values}
        open_ |= {one for one in used if one.startswith(WATCHED)} - found
    whole = hashlib.sha256()
    for name in sorted(found):
        path = importlib.import_module(name).__file__
        whole.update(Path(path or "").read_bytes())
    return whole.hexdigest()[:16]
