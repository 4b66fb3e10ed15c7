"""Where task policies come from: one file each; others come from packages of the user's.

``TaskPolicySource`` is the interface: it makes a task policy from a base, a certificate, a horizon
and a seed. ``SOURCES`` holds every source by name: a new file in this folder is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from sport_ray.experiments.task_policies.source import SOURCES, SelectionSource, TaskPolicySource
from sport_ray.lazy import names_from

if TYPE_CHECKING:  # torch takes seconds
    from sport_ray.experiments.task_policies._training import Trained

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["SOURCES", "SelectionSource", "TaskPolicySource", "Trained"]

__getattr__ = names_from(__name__, {"Trained": "._training"})
