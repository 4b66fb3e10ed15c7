"""The manifest of a run of the benchmark: what was asked for, where it lies, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sport_ray.canonical import write_json
from sport_ray.experiments.benchmark.compose import Part
from sport_ray.experiments.benchmark.suite import Suite

FILE = "bench.json"


def manifest(
    suite: Suite,
    parts: Iterable[Part],
    *,
    command: str,
    failed: Mapping[str, str],
    skipped: Mapping[str, str],
) -> dict[str, Any]:
    """The manifest as plain values.

    failed: why a folder has no results, or not all, by its path. skipped: why a task was left out,
    by its name.
    """
    parts = list(parts)
    here = {part.task.name for part in parts}
    return {
        "command": command,
        "tiny": suite.tiny,
        "risk_levels": list(suite.risk_levels),
        "seeds": list(range(suite.seeds)),
        "tasks": [
            {
                "name": one.name,
                "title": one.title,
                "why": one.why,
                "property": one.study["property"],
                "horizon": one.sections("smooth", 0, tiny=suite.tiny)["horizon"],
                "extra": one.extra,
            }
            for one in suite.tasks
            if one.name in here
        ],
        "methods": [
            {
                "name": one.name,
                "title": one.title,
                "why": one.why,
                "promise": one.promise,
                "kind": one.kind,
                "source": one.source,
                "constraint": one.constraint,
            }
            for one in suite.methods
        ],
        "folders": [
            {
                "task": part.task.name,
                "base": str(part.base),
                "level": part.base.level,
                "seed": part.base.seed,
                "folder": part.folder,
                "left_out": part.left_out,
            }
            for part in parts
        ],
        "failed": dict(failed),
        "skipped": dict(skipped),
    }


def write_manifest(results: Path, content: dict[str, Any]) -> Path:
    """Write it into the benchmark's folder; its path."""
    results.mkdir(parents=True, exist_ok=True)
    write_json(results / FILE, content)
    return results / FILE
