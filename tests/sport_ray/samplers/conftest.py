"""Modules of a user's, written for a test and forgotten after it."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported; its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text: str, name: str = "t_sampler") -> str:
        header = "import numpy as np\n"
        (tmp_path / f"{name}.py").write_text(header + textwrap.dedent(text))
        importlib.invalidate_caches()
        return name

    yield write
    for name in [one for one in sys.modules if one.startswith("t_")]:
        del sys.modules[name]
