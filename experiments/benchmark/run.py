"""Run the benchmark: the study of every task and base by the stages that any study has.

Each lies in an ordinary result folder, so that what is finished is never repeated. A study that
fails stops no other: why it failed stands in the manifest and at the end.
"""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sport_ray.envs.faults import what_happened
from sport_ray.errors import UserError
from sport_ray.experiments.benchmark.compose import Part, bare_study, compose
from sport_ray.experiments.benchmark.manifest import manifest, write_manifest
from sport_ray.experiments.benchmark.suite import Suite
from sport_ray.experiments.cluster.session import ray_session
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.context import Context, Interrupted
from sport_ray.experiments.stages.run import run_study
from sport_ray.tracking.console import say

if TYPE_CHECKING:  # it imports Ray, which is started before
    from sport_ray.experiments.sweep.driver import SweepSummary


@dataclass
class Benchmark:
    """What a suite comes to in a folder, as far as it has run.

    command: what asks for the same. address: of a Ray cluster to join. again: the command as it was
    typed, which resumes what was interrupted. failed: why, by folder or by task. skipped: why a
    task cannot be run here, by its name. refuted: what data refute of the promises, by folder.
    """

    suite: Suite
    results: Path
    command: str
    console: Console
    address: str | None = None
    again: tuple[str, ...] | None = None
    parts: list[Part] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    refuted: dict[str, str] = field(default_factory=dict)

    def compose(self) -> None:
        """Compose every study; leaves out what cannot be run here, and says so.

        Raises:
            UserError: a task that was named and cannot be run here; methods that contradict each
                other.
        """
        from sport_ray.experiments.benchmark.fitting import missing_extra  # torch takes seconds

        for task in self.suite.tasks:
            try:
                bases = self.suite.bases
                why = missing_extra(task, bare_study(self.suite, task, bases[0]))
                parts = [] if why else [compose(self.suite, task, base) for base in bases]
            except UserError as error:
                if self.suite.named:
                    raise
                self.failed[task.name] = str(error)
                self._say(f"task {task.name} cannot be composed: {error}", style="bold red")
                continue
            if why is not None and self.suite.named:
                raise UserError(f"task {task.name} needs what is not installed: {why}")
            if why is not None:
                self.skipped[task.name] = why
                self._say(f"task {task.name} is left out, for it needs {why}")
            self.parts += parts

    def run(self) -> None:
        """Run what is missing of every study; the manifest is renewed after each.

        Raises:
            UserError: no study to run.
            Interrupted: Ctrl-C or SIGTERM; what is finished is kept.
        """
        if not self.parts:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.not_here.items())
            raise UserError(f"no task can be run here ({reasons})")
        self._tell_of_one_seed()
        # RLlib registers its vector anew for every base that is trained in this process.
        warnings.filterwarnings("ignore", message=".*Overriding environment rllib-")
        with ExitStack() as ray:
            for number, part in enumerate(self.parts, 1):
                heading = f"{part.folder} ({number} of {len(self.parts)}): {part.task.title}"
                self._say(heading, style="bold")
                self.write()
                self._run(part, ray)
        self.write()

    def _tell_of_one_seed(self) -> None:
        """Say which mixtures will have no score: those that cells of other seeds must pick."""
        if self.suite.seeds > 1:
            return
        picked = [part for part in self.parts if part.study.mixtures is None]
        names = {one.name for part in picked for one in part.methods if one.kind == "mixture"}
        if names:
            places = ", ".join(sorted({part.task.name for part in picked}))
            self._say(
                f"mixtures of methods ({', '.join(sorted(names))}) need two seeds on {places}, "
                "where other seeds' cells pick them; --seeds 1 leaves them not run",
                style="bold yellow",
            )

    @property
    def not_here(self) -> dict[str, str]:
        """Why tasks have no study, by their names."""
        return self.failed | self.skipped

    def _run(self, part: Part, ray: ExitStack) -> None:
        """Run one study, and note how it went; ray: what ends Ray, which all studies share."""
        try:
            context = self.context_of(part)
            try:
                summary = self._summary(context, ray)
            finally:
                context.folder.release()
        except Interrupted:
            raise
        except Exception as error:
            why = what_happened(error).replace(str(self.results.absolute()), self.results.name)
            self.failed[part.folder] = why
            self._say(f"{part.folder} failed: {why}", style="bold red")
            return
        if summary.failed:
            self.failed[part.folder] = f"{summary.failed} of {summary.planned} cells failed"
        if summary.refuted:
            self.refuted[part.folder] = summary.refuted

    def _summary(self, context: Context, ray: ExitStack) -> SweepSummary:
        from sport_ray.experiments.benchmark.finished import is_finished, looked_at  # Ray, too

        if is_finished(context):
            return looked_at(context)
        ray.enter_context(ray_session(self.address, for_cells=True))
        return run_study(context)

    def context_of(self, part: Part) -> Context:
        """What the stages work on for one study."""
        folder = StudyFolder(self.results / part.folder, part.study, part.text)
        return Context(
            part.study, None, folder, self.console, address=self.address, again=self.again
        )

    def write(self) -> Path:
        """Write the manifest as it is now; its path."""
        content = manifest(
            self.suite,
            self.parts,
            command=self.command,
            failed=self.failed,
            skipped=self.skipped,
        )
        return write_manifest(self.results, content)

    def _say(self, text: str, style: str = "") -> None:
        say(self.console, text, style=style)
