"""What `sport-ray bench --list` shows: tasks, methods, and what has no cells where."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from sport_ray.experiments.benchmark.compose import Part
from sport_ray.experiments.benchmark.suite import Suite
from sport_ray.tracking.console import narrow_table, say, shown


def print_suite(
    console: Console, suite: Suite, parts: list[Part], skipped: Mapping[str, str]
) -> None:
    """Show it.

    skipped: why a task cannot be run here, by its name.
    """
    from sport_ray.experiments.stages.base import find_base  # torch takes seconds

    tasks = _table("task", "property", "T", "extra", "bases that ship")
    for task in suite.tasks:
        own = [part for part in parts if part.task == task]
        ships = sum(find_base(part.study.base, None) is not None for part in own)
        bases = "not here" if task.name in skipped else f"{ships} of {len(own)}"
        horizon = task.sections("smooth", 0, tiny=suite.tiny)["horizon"]
        row = (task.name, task.study["property"], str(horizon), task.extra or "", bases)
        tasks.add_row(*map(shown, row))
    console.print(tasks)
    methods = _table("method", "promise", "source", "constraint")
    for method in suite.methods:
        source = method.source or method.kind.replace("_", " ")
        about = (method.name, method.promise, source, method.constraint or "–")
        methods.add_row(*map(shown, about))
    console.print(methods)
    reasons: dict[tuple[str, str], set[str]] = defaultdict(set)
    for part in parts:
        for name, why in part.left_out.items():
            reasons[name, why].add(part.task.name)
    for (name, why), places in sorted(reasons.items()):
        say(console, f"{name} has no cells in {', '.join(sorted(places))}: {why}")


def _table(first: str, *others: str) -> Table:
    """A table whose first column is whole: what is typed."""
    table = narrow_table("", first)
    for name in others:
        table.add_column(name)
    return table
