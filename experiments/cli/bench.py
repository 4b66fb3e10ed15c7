"""The command bench: the benchmark of certified risk."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sport_ray.experiments.cli.options import Address
from sport_ray.tracking.console import PlainConsole, say

if TYPE_CHECKING:  # torch takes seconds
    from sport_ray.experiments.benchmark.run import Benchmark


def bench_command(
    tasks: Annotated[
        str | None, typer.Option("--tasks", help="Of these names alone, a,b (default: all).")
    ] = None,
    methods: Annotated[
        str | None, typer.Option("--methods", help="Of these names alone, a,b (default: all).")
    ] = None,
    bases: Annotated[
        str | None,
        typer.Option("--bases", help="LEVEL_SEED or LEVEL, a,b (default: all; tiny: one)."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, help="How many, from 0 on (default 10; tiny 2).")
    ] = None,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="All tasks, small: some minutes each.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help="Show tasks, bases and methods, and run nothing.")
    ] = False,
    cost: Annotated[bool, typer.Option("--cost", help="Show CPU hours, and run nothing.")] = False,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Its folder (default: results/bench, or bench-tiny)."),
    ] = None,
    publish: Annotated[
        Path | None, typer.Option("--publish", help="Copy what is small and worth keeping there.")
    ] = None,
    address: Address = None,
) -> None:
    """Run the benchmark of certified risk: tasks × bases × methods × seeds, then the leaderboard.

    A study for each task and base, each in an ordinary result folder: run it again to resume.
    What fails stops nothing else; it is told at the end. docs/benchmark.md has the tasks, the
    methods, and how to add one of either: one file.
    """
    from sport_ray.experiments.benchmark.suite import Suite
    from sport_ray.experiments.cluster.signals import terminating

    suite = Suite.of(
        tasks_named=_names(tasks),
        methods_named=_names(methods),
        bases_named=_names(bases),
        seeds=seeds,
        tiny=tiny,
    )
    root = results or Path("results") / ("bench-tiny" if tiny else "bench")
    console = PlainConsole()
    from sport_ray.experiments.benchmark.run import Benchmark  # torch takes seconds
    from sport_ray.experiments.stages.context import resumed_by

    again = ("sport-ray", *sys.argv[1:])
    bench = Benchmark(suite, root, _command(tasks, methods, bases, seeds, tiny), console)
    bench = replace(bench, address=address, again=again)
    if show or cost:
        _show(bench, show)
        return
    try:
        with terminating():
            bench.compose()
            bench.run()
            _tell(bench, publish)
    except (KeyboardInterrupt, SystemExit) as error:  # where it is not told already
        raise resumed_by(again, "what has ended is kept", error) from None


def _show(bench: Benchmark, tables: bool) -> None:
    """Show the suite's tables, or else what it costs; there is nothing to resume."""
    bench.compose()
    if tables:
        from sport_ray.experiments.benchmark.listing import print_suite

        print_suite(bench.console, bench.suite, bench.parts, bench.skipped)
    else:
        from sport_ray.experiments.benchmark.cost import print_cost

        print_cost(bench.console, bench.suite, bench.parts, bench.results)


def _tell(bench: Benchmark, publish: Path | None) -> None:
    """Write the leaderboard, and what is published; then end as ``_end`` does."""
    from sport_ray.tracking import benchmark

    say(bench.console, f"leaderboard: {benchmark.write_leaderboard(bench.results)}")
    if publish is not None:
        say(bench.console, f"{len(benchmark.publish(bench.results, publish))} files: {publish}")
    _end(bench)


def _command(
    tasks: str | None, methods: str | None, bases: str | None, seeds: int | None, tiny: bool
) -> str:
    """The command that asks for the same, wherever its results lie."""
    named = {"tasks": tasks, "methods": methods, "bases": bases, "seeds": seeds}
    given = [f"--{name} {value}" for name, value in named.items() if value is not None]
    return " ".join(["sport-ray bench", *given, *(["--tiny"] if tiny else [])])


def _names(given: str | None) -> list[str] | None:
    """The names of an option, which commas part."""
    return None if given is None else [one.strip() for one in given.split(",") if one.strip()]


def _end(bench: Benchmark) -> None:
    """Tell what failed and what is refuted; exit status 1, or that of the alarm.

    Raises:
        typer.Exit: where there is any.
    """
    from sport_ray.experiments.results.alarm import end_with, print_alarm

    for place, why in bench.failed.items():
        say(bench.console, f"failed: {place}: {why}", style="bold red")
    for place, why in bench.refuted.items():
        print_alarm(bench.console, f"{place}: {why}")
    end_with("; ".join(bench.refuted.values()) or None)
    if bench.failed:
        raise typer.Exit(1)
