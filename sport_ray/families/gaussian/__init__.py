"""Diagonal Gaussians: the family, and the mathematics that it calls.

``projection`` and ``kernels`` hold the KL projection, ``gradient`` its derivative, ``arrays`` its
entry on numpy, ``mean_shift`` the projection of shifts, ``head`` what a network's last layer
means. Log ratios are in nats.
"""

from __future__ import annotations

from sport_ray.families.gaussian.distribution import Gaussian
from sport_ray.families.gaussian.head import GaussianHead

__all__ = ["Gaussian", "GaussianHead"]
