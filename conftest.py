"""Which files pytest looks into for examples in docstrings (``--doctest-modules``)."""

from __future__ import annotations

from pathlib import Path


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A module without an example is not imported to look for one: Ray alone takes seconds."""
    if collection_path.suffix != ".py" or collection_path.name.startswith("test_"):
        return None
    return True if ">>>" not in collection_path.read_text("utf-8") else None
