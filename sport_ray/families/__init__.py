"""What a policy draws from: a family of distributions behind one interface, a folder each.

``Distribution`` is the interface, ``FAMILIES`` holds every family by name. ``Gaussian``
draws actions, ``Categorical`` the index of an outcome.

>>> import torch
>>> base = Gaussian(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 1.0]))
>>> task = Gaussian(torch.tensor([0.5, 0.0]), torch.tensor([1.0, 1.0]))
>>> bool(task.projected(base, 0.2).max_log_ratio(base) <= 0.2)
True
"""

from __future__ import annotations

from sport_ray.families.categorical import Categorical
from sport_ray.families.family import FAMILIES, Distribution, Shifts, TwoSided, family_named
from sport_ray.families.gaussian import Gaussian

__all__ = [
    "FAMILIES",
    "Categorical",
    "Distribution",
    "Gaussian",
    "Shifts",
    "TwoSided",
    "family_named",
]
