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

from sport_ray.families.categorical import Categorical, Categoricals, categorical_over
from sport_ray.families.family import FAMILIES, Distribution, Shifts, TwoSided
from sport_ray.families.gaussian import Gaussian
from sport_ray.families.named import family_named

__all__ = [
    "FAMILIES",
    "Categorical",
    "Categoricals",
    "Distribution",
    "Gaussian",
    "Shifts",
    "TwoSided",
    "categorical_over",
    "family_named",
]
