"""Where task policies come from: one file each.

``TaskPolicySource`` is the interface: it makes a task policy from a base, a certificate, a horizon
and a seed. ``SOURCES`` holds every source by name: a new file in this folder is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from sport_ray.experiments.task_policies.source import SOURCES, TaskPolicySource

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["SOURCES", "TaskPolicySource"]
