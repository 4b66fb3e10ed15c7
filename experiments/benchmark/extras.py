"""The extras of this package: what they bring, and how that is installed."""

from __future__ import annotations

import itertools
from contextlib import suppress
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = "sport-ray"


def brings(extra: str | None, module: str) -> bool:
    """Whether an extra of ours has a distribution of the name of a module's package."""
    package = canonicalize_name(module.partition(".")[0])
    return any(canonicalize_name(one.name) == package for one in _packages(extra))


def _packages(extra: str | None) -> list[Requirement]:
    """What an extra of ours adds, that of extras which it names in turn; none in a bare folder."""
    found: list[Requirement] = []
    with suppress(metadata.PackageNotFoundError):
        for one in map(Requirement, metadata.requires(OURS) or ()):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                continue
            if one.marker.evaluate({"extra": extra or ""}):
                if canonicalize_name(one.name) == OURS:
                    found += itertools.chain(*map(_packages, sorted(one.extras)))
                else:
                    found.append(one)
    return found


def how_to_install(extra: str) -> str:
    """The command: of the packages themselves, since no index has ours."""
    packages = _packages(extra)
    if not packages:
        return f"install the packages of the extra {extra} (docs/install.md)"
    return "pip install " + " ".join(f'"{_bare(one)}"' for one in packages)


def _bare(one: Requirement) -> str:
    """A requirement without its marker."""
    extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
    return f"{one.name}{extras}{one.specifier}"
