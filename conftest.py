"""For all tests: threads, and the files that are looked into for examples in docstrings."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch is imported. Small matrices: a second thread makes the tests take twice as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A module without an example is not imported to look for one: Ray alone takes seconds."""
    if collection_path.suffix != ".py" or collection_path.name.startswith("test_"):
        return None
    return True if ">>>" not in collection_path.read_text("utf-8") else None
