"""The version of the distribution: git's tags name it when it is built, nothing else does."""

from __future__ import annotations

from importlib import metadata

try:
    __version__ = metadata.version("sport-ray")
except metadata.PackageNotFoundError:  # a clone on Python's path, never installed
    __version__ = "0+unknown"
