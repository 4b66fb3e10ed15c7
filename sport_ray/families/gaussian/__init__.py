"""Diagonal Gaussians: the family, and the mathematics that it calls.

``projection`` and ``kernels`` hold the KL projection, ``gradient`` its derivative, ``arrays`` its
entry on numpy, ``mean_shift`` the projection of shifts. Log ratios are in nats.
"""

from __future__ import annotations

from sport_ray.families.gaussian.distribution import Gaussian

__all__ = ["Gaussian"]
