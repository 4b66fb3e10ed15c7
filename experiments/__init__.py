"""What to run: studies, their stages, the sweep on Ray Tune, the command line and its Python API.

``from experiments import Study`` is what the command line does, for notebooks and scripts
(docs/python-api.md). It loads Ray and torch when a method needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.api import Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("experiments.api"), name)
