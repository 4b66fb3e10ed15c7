"""Categorical distributions: the family, and the mathematics that it calls.

``kernels`` holds the exact projection on integers, ``projection`` its entry points, ``on_grid``
what laws on that grid share, ``product`` independent ones, ``head`` a network's logits,
``gradient`` the derivative, ``law`` the same law for torch. Log ratios are in nats.
"""

from __future__ import annotations

from sport_ray.families.categorical.distribution import Categorical
from sport_ray.families.categorical.head import CategoricalHead
from sport_ray.families.categorical.product import Categoricals, categorical_over

__all__ = ["Categorical", "CategoricalHead", "Categoricals", "categorical_over"]
