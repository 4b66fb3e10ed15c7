"""What the commands that change results begin with: the study, its folder, and where it lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sport_ray.errors import UserError
from sport_ray.tracking.console import PlainConsole, say

if TYPE_CHECKING:  # Ray and torch take seconds: a mistake in a study is told before
    from sport_ray.experiments.stages.context import Context

_Found = TypeVar("_Found")


@contextmanager
def at_work(
    command: str,
    study_path: Path,
    results: Path | None,
    address: str | None = None,
    alone: bool = False,
    work_dir: Path | None = None,
) -> Iterator[Context]:
    """What the stages work on; entered before they, and Ray with them, are imported.

    Of results in an object store the folder is the copy on this machine, which is pushed as it
    grows; the study is read before the store is asked. SIGTERM ends the block as Ctrl-C does.

    Raises:
        UserError: a mistake in the study, another study's folder, and what the store says.
        Interrupted: Ctrl-C or SIGTERM while a store was asked; what stages say so themselves.
    """
    from sport_ray.experiments.cluster.signals import Terminated, terminating
    from sport_ray.experiments.config.shipped import study_file
    from sport_ray.experiments.config.study import load_study
    from sport_ray.experiments.results.folder import StudyFolder

    place = None
    if results is not None and ":" in str(results):
        from sport_ray.experiments.storage.place import Place

        place = Place.of(results)
    again: tuple[str, ...] = ("sport-ray", command, str(study_path))
    again += ("--results", str(place or results)) if results else ()
    again += ("--work-dir", str(work_dir)) if work_dir else ()
    again += ("--address", address) if address else ()
    again += ("--no-ray",) if alone else ()
    if alone and address:
        raise UserError("--address joins a Ray cluster and --no-ray uses none: give one of them")
    if work_dir and place is None:
        raise UserError(
            "--work-dir is where the copy of an object store lies: give --results s3://…, too"
        )
    source = study_file(study_path)
    study = load_study(source)
    console = PlainConsole()

    def context_in(root: Path) -> Context:
        from sport_ray.experiments.stages.context import Context

        return Context(study, source, StudyFolder(root, study), console, address, again, alone)

    if place is None:
        with terminating():
            yield context_in(results or Path("results") / study.name)
        return
    from sport_ray.experiments.stages.context import resumed_by
    from sport_ray.experiments.storage.copies import driver_copy

    try:
        with terminating(), driver_copy(place, work_dir, lambda line: say(console, line)) as root:
            yield context_in(root)
    except (KeyboardInterrupt, Terminated) as error:  # while the store was asked, or sent the rest
        raise resumed_by(again, "what is finished is kept on this machine", error) from None


def each(context: Context, do: Callable[[Context], _Found]) -> dict[str, _Found]:
    """A command's stage once per base.

    Raises:
        Interrupted: Ctrl-C or SIGTERM, wherever it came: one line with the command that resumes.
    """
    from sport_ray.experiments.stages import bases
    from sport_ray.experiments.stages.context import interrupted

    try:
        return bases.each(context, do)
    except (KeyboardInterrupt, SystemExit) as error:  # of a stage that does not say so itself
        raise interrupted(context, "run", "stages that have ended are kept", error) from None
