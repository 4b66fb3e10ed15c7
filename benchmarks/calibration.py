"""How often every bound fails: certify, pick or train, test, again and again, at β = 0.05.

    python benchmarks/calibration.py                                # all bounds, 1,000 times each
    python benchmarks/calibration.py --bounds ratio,selection --repeats 5000 --seed 1
    python benchmarks/calibration.py --list

Each repetition is a whole chain on a problem that is solved exactly, by the functions that users
call: scenarios, a certificate, a constraint derived from it, a policy picked at its worst, and its
true violation probability. Problem and policy are those for which the bound is as tight as it
gets. Each bound has a negative control, the same chain with one mistake, whose failures must be
found. Repetitions go to ``--results`` as they come, so a run that was cut off goes on; those made
by other code, or with another seed, are done anew.

Printed, as Markdown: the tables of docs/bounds.md, section 16. Exit status 1 if a bound fails more
often than β (together at level 0.01) or if a control is not caught. One core; a new bound is one
more file in benchmarks/calibrated.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file, Python knows this file's folder only

from rich.console import Console  # noqa: E402
from rich.progress import (  # noqa: E402
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks.calibrated import registry  # noqa: E402
from benchmarks.calibrated.registry import Calibration, generator, load  # noqa: E402
from benchmarks.calibrated.results import (  # noqa: E402
    Results,
    Row,
    complaints,
    problems,
    summary,
    table,
)

BLOCK_SECONDS = 2.0
BEGIN, END = "<!-- calibration: begin -->", "<!-- calibration: end -->"


def main() -> None:
    arguments = parsed()
    known = load()
    chosen = matching(known, arguments.bounds)
    if arguments.list:
        print(problems(chosen))
        return
    results = Results(arguments.results, arguments.seed)
    registry.STORE = arguments.results.with_suffix(".store").absolute()
    wanted = [
        (one, wrong, min(number, one.repeats or number))
        for one in chosen
        for wrong, number in ((False, arguments.repeats), (True, arguments.controls))
    ]
    with bar() as progress:
        task = progress.add_task("", total=sum(number for _, _, number in wanted))
        for one, wrong, number in wanted:
            what = f"{one.name}, control" if wrong else one.name
            progress.update(task, description=what)
            done = set(results.of(one, wrong)) & set(range(number))
            progress.advance(task, len(done))
            missing = [index for index in range(number) if index not in done]
            for block in repeated(one, wrong, arguments.seed, missing):
                results.add(one, wrong, block)
                progress.advance(task, len(block))
    rows = []
    for one in chosen:
        parts = [
            summary(one, {i: t for i, t in results.of(one, wrong).items() if i < number})
            for other, wrong, number in wanted
            if other is one
        ]
        rows.append(Row(one, *parts))
    found = f"{table(rows)}\n\n{problems(chosen)}\n"
    print(found)
    if arguments.docs:
        written(arguments.docs, found)
    wrong = complaints(rows)
    for line in wrong:
        print(line, file=sys.stderr)
    raise SystemExit(1 if wrong else 0)


def written(path: Path, found: str) -> None:
    """Put the tables where the page has them, between two comments."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{found}\n{END}{rest.split(END)[1]}", encoding="utf-8")


def repeated(one: Calibration, wrong: bool, seed: int, indices: list[int]):
    """Repetitions in blocks of about two seconds."""
    block, start = {}, time.perf_counter()
    for index in indices:
        block[index] = one.repetition(generator(one.name, seed, wrong, index), wrong)
        if time.perf_counter() - start > BLOCK_SECONDS:
            yield block
            block, start = {}, time.perf_counter()
    if block:
        yield block


def matching(known: dict[str, Calibration], given: str | None) -> list[Calibration]:
    """Those with one of the words as their name, or in it; all by default."""
    if given is None:
        return list(known.values())
    words = [word.strip() for word in given.split(",")]
    found: set[str] = set()
    for word in words:
        named = {word} if word in known else {name for name in known if word in name}
        if not named:
            raise SystemExit(f"no bound is called {word!r}; --list shows them all")
        found |= named
    return [one for name, one in known.items() if name in found]


def bar() -> Progress:
    return Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
        TextColumn("{task.description}"), console=Console(stderr=True),
    )  # fmt: skip


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bounds", help="names, or parts of names, separated by commas")
    parser.add_argument("--repeats", type=positive, default=1_000, help="of each bound")
    parser.add_argument("--controls", type=positive, default=300, help="of each negative control")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path("calibration.jsonl"))
    parser.add_argument("--docs", type=Path, help="docs/bounds.md: write the tables there as well")
    parser.add_argument("--list", action="store_true", help="the problems and controls alone")
    return parser.parse_args()


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


if __name__ == "__main__":
    main()
