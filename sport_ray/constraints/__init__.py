"""What a deployed policy is projected onto, and what is promised for it: one file each.

``Constraint`` is the interface: what may be spent in a state, what was spent, what is promised.
``CONSTRAINTS`` holds every constraint by name: a new file in this folder is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from sport_ray.constraints.constraint import (
    CONSTRAINTS,
    Constraint,
    MustBeGivenError,
    constraint_class,
    constraint_from_json,
)
from sport_ray.constraints.evidence import Evidence
from sport_ray.constraints.ratio import RatioConstraint
from sport_ray.constraints.unconstrained import Unconstrained

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "CONSTRAINTS",
    "Constraint",
    "Evidence",
    "MustBeGivenError",
    "RatioConstraint",
    "Unconstrained",
    "constraint_class",
    "constraint_from_json",
]
