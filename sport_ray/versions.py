"""Versions that a result depends on, for the records."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from sport_ray.sources import installed_versions

DEVICE = "device"
"""Among the versions: the name of the GPU that something ran on, where it was one."""
PACKAGES = ("sport-ray", "torch", "numpy", "scipy", "numba", "gymnasium", "ray")


def versions(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Version of Python and of each package that results depend on, beside those given."""
    return {**(more or {}), "python": platform.python_version(), **installed_versions(PACKAGES)}
