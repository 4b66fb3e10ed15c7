"""Versions that a result depends on, for the records."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sport_ray.envs.making import entry_file

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


def source_digests(env_id: str) -> dict[str, str]:
    """sha256 of the code that rollouts run: of sport_ray, and of the environment where it is not
    part of it (the file that defines its entry point).

    Raises:
        UserError: an environment that is not registered.
    """
    package = Path(__file__).parent
    found = {"sport_ray": _digest(package, sorted(package.rglob("*.py")))}
    file = entry_file(env_id)
    if file is not None and package not in file.parents:
        found["environment"] = _digest(file.parent, [file])
    return found


def _digest(root: Path, files: list[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(root).as_posix()}\n".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()
