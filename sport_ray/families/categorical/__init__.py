"""Categorical distributions: the family, and the mathematics that it calls.

``kernels`` holds the exact projection on integers, ``projection`` its entry points, ``gradient``
the derivative, ``law`` the same law for torch. Log ratios are in nats.
"""

from __future__ import annotations

from sport_ray.families.categorical.distribution import Categorical

__all__ = ["Categorical"]
