"""These tests need Safety-Gymnasium, which is installed by a command of its own."""

from __future__ import annotations

import importlib.util
import os

import pytest


@pytest.fixture
def installed():
    """Skip where something is missing; where CI is set it must be there."""
    missing = [
        name for name in ("safety_gymnasium", "xmltodict") if importlib.util.find_spec(name) is None
    ]
    if missing and "CI" not in os.environ:
        pytest.skip(f"{' and '.join(missing)} not installed (docs/safety-gymnasium.md)")
    assert not missing
