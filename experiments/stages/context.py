"""What every stage works on, and how a command says that it was interrupted.

Imported in no time, before Ray and torch are.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.signals import TERMINATED
from sport_ray.tracking.mlflow.client import check_reachable, default_uri, store_uri

if TYPE_CHECKING:
    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.results.folder import StudyFolder


class Context(NamedTuple):
    """What every stage needs: the study, its file, its folder, where to print, which cluster.

    source: None for a study that was made in Python; base policies are then relative to the
    working directory. again: the command as it was typed, which resumes what was interrupted.
    alone: this process does all, without Ray.
    """

    study: Study
    source: Path | None
    folder: StudyFolder
    console: Console
    address: str | None = None
    again: tuple[str, ...] | None = None
    alone: bool = False

    @property
    def file(self) -> Path:
        """The study file with which the command line goes on."""
        return self.source or self.folder.study_file


def require_tracking(context: Context) -> None:
    """Fail now, not after hours, if the study's tracking server (or MLflow's own) is away."""
    uri = store_uri(context.study.tracking.uri, context.folder.root)
    if uri != default_uri(context.folder.root):
        check_reachable(uri, context.folder.root)


class Interrupted(UserError):
    """Ctrl-C or SIGTERM during a sweep: one line with the command that resumes.

    It is an error of nobody's, but ends a command in the same way, with the exit status (130, 143)
    that shells have for it.
    """

    def __init__(self, message: str, exit_status: int = 130) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def interrupted(
    context: Context, command: str, kept: str, error: KeyboardInterrupt | SystemExit
) -> Interrupted | SystemExit:
    """What to raise after Ctrl-C or SIGTERM in a command: what is kept, and how to resume.

    Nobody asked where the reader of a pipe has gone: ``error`` itself, see ``resumed_by``.
    """
    again = context.again or ("sport-ray", command, str(context.file))
    if context.again is None:
        again += ("--results", str(context.folder.root))
        again += ("--address", context.address) if context.address else ()
        again += ("--no-ray",) if context.alone else ()
    return resumed_by(again, kept, error)


def resumed_by(
    again: tuple[str, ...], kept: str, error: KeyboardInterrupt | SystemExit
) -> Interrupted | SystemExit:
    """The same of a command that is no stage of one study; again: the command that resumes."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        return error  # rich's: nobody reads on, and the command ends without a word
    asked = isinstance(error, KeyboardInterrupt)
    return Interrupted(
        f"{'interrupted' if asked else 'asked to end'}; {kept}. Resume with: {shlex.join(again)}",
        130 if asked else TERMINATED,
    )
