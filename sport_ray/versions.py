"""Versions that a result depends on, for the records."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("sport-ray", "torch", "numpy", "scipy", "numba", "gymnasium", "ray")


def versions() -> dict[str, str]:
    """Version of Python and of each package that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
