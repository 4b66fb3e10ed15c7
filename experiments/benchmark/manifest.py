"""The manifest of a run of the benchmark: what was asked for, where it lies, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from sport_ray.canonical import write_json
from sport_ray.experiments.benchmark.compose import Part
from sport_ray.experiments.benchmark.method import MethodFile
from sport_ray.experiments.benchmark.suite import Suite
from sport_ray.experiments.benchmark.task import TaskFile
from sport_ray.tracking.benchmark.manifest import FILE, Folder, Manifest, Method, Task
from sport_ray.tracking.results.files import writing


def manifest(
    suite: Suite,
    parts: Iterable[Part],
    *,
    command: str,
    failed: Mapping[str, str],
    skipped: Mapping[str, str],
) -> Manifest:
    """The manifest of what was asked for.

    failed: why a folder has no results, or not all, by its path. skipped: why a task was left out,
    by its name.
    """
    parts = list(parts)
    here = {part.task.name for part in parts}
    return Manifest(
        command=command,
        tiny=suite.tiny,
        risk_levels=tuple(suite.risk_levels),
        seeds=tuple(range(suite.seeds)),
        tasks=tuple(_task(one, suite) for one in suite.tasks if one.name in here),
        methods=tuple(_method(one) for one in suite.methods),
        folders=tuple(_folder(part) for part in parts),
        failed=dict(failed),
        skipped=dict(skipped),
    )


def _task(one: TaskFile, suite: Suite) -> Task:
    return Task(
        name=one.name,
        title=one.title,
        why=one.why,
        property=one.study["property"],
        horizon=one.sections("smooth", 0, tiny=suite.tiny)["horizon"],
        extra=one.extra,
    )


def _method(one: MethodFile) -> Method:
    return Method(**one.model_dump(include=set(Method.model_fields)))


def _folder(part: Part) -> Folder:
    return Folder(
        task=part.task.name,
        base=str(part.base),
        level=part.base.level,
        seed=part.base.seed,
        folder=part.folder,
        left_out=part.left_out,
    )


def write_manifest(results: Path, content: Manifest) -> Path:
    """Write it into the benchmark's folder; its path.

    Raises:
        UserError: a file in the folder's way, or one that cannot be written to.
    """
    with writing(results, "give another folder with --results"):
        results.mkdir(parents=True, exist_ok=True)
        write_json(results / FILE, content.model_dump(mode="json"))
    return results / FILE
