"""The command line in Python: a study as an object, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sport_ray.errors import UserError
from sport_ray.experiments.config.paths import user_path
from sport_ray.experiments.in_process import at_work, default_console
from sport_ray.experiments.storage.place import Place

if TYPE_CHECKING:  # Ray and torch take seconds: each method loads what it needs
    import pandas as pd

    from sport_ray.certificates import Certificate
    from sport_ray.certificates.verify import Check
    from sport_ray.experiments.config.study import Study as Settings
    from sport_ray.experiments.results.folder import StudyFolder
    from sport_ray.experiments.results.status import Status
    from sport_ray.experiments.stages.context import Context
    from sport_ray.experiments.sweep.driver import SweepSummary
    from sport_ray.experiments.tuning.record import Tuning
    from sport_ray.view import View

PathLike = str | Path


class Study:
    """A study and its result folder. Each method does what the command of that name does.

    Make one with ``Study.load`` (from a file or a result folder) or ``Study.from_dict``; the
    command line goes on in the same folder, and the other way round. A study over several bases is
    run and reported as a whole; all else is done with that of each (``each``). Between calls
    nothing is held: not Ray (unless it ran before, then it is left alone), not the folder's lock.

    settings: the checked sections; results: the result folder, default results/<name>.
    address: join this Ray cluster instead of starting Ray, or using one that runs in this process.
    alone: this process certifies, trains and evaluates, one thing after the other, without Ray.
    console: where progress goes; ``rich.console.Console(quiet=True)`` for nowhere.

    Raises:
        UserError: from every method, in one line, for a mistake of the user's. The options of the
            command line that it may name are arguments here: ``--results`` is ``results=``.
        KeyboardInterrupt: a stage that was interrupted. What is finished is kept: call again.
    """

    def __init__(
        self,
        settings: Settings,
        results: PathLike | None = None,
        *,
        source: PathLike | None = None,
        address: str | None = None,
        alone: bool = False,
        console: Console | None = None,
    ) -> None:
        if alone and address is not None:
            raise UserError("address joins a Ray cluster, alone uses none: give one of them")
        if results is not None and Place.of(results) is not None:
            raise UserError(f"{Place.of(results)}: Study takes a path; use sport-ray for a URI")
        self.settings = settings
        self.source = None if source is None else Path(source).absolute()
        self.address, self.alone = address, alone
        self.console = console or default_console()
        self.results_dir = user_path(results or Path("results") / settings.name).absolute()
        # As it is now: the file may change while a notebook is open.
        self._text = self._dump() if self.source is None else self.source.read_bytes()
        self._folder()  # refuses that of another study

    def each(self) -> dict[str, Study]:
        """The study of each base, of several, by the base's name; each is one with one base.

        Their result folders are sub-folders of this one's, which the command line goes on in.
        """
        from sport_ray.experiments.stages.bases import text_of_base
        from sport_ray.tracking.results.bases import base_folders

        found = {}
        for base, name in base_folders(self.settings.part_names).items():
            one = Study(
                self.settings.of_base(base),
                self.results_dir / name,
                source=self.source,
                address=self.address,
                alone=self.alone,
                console=self.console,
            )
            one._text = text_of_base(self._text, base)
            found[base] = one
        return found

    @classmethod
    def load(
        cls,
        path: PathLike,
        results: PathLike | None = None,
        *,
        address: str | None = None,
        alone: bool = False,
        console: Console | None = None,
    ) -> Study:
        """The study of a YAML file, of a name that ships, or of a result folder.

        Raises:
            UserError: see ``sport_ray.experiments.config.study.load_study``; a folder that holds no
            study.
        """
        from sport_ray.experiments.config.shipped import study_file
        from sport_ray.experiments.config.study import load_study
        from sport_ray.experiments.results.status import tracking_uri

        source = study_file(path)
        if not source.is_dir():
            settings = load_study(source)
            return cls(
                settings, results, source=source, address=address, alone=alone, console=console
            )
        results = source if results is None else results
        file = source / "study.yaml"
        if not file.is_file():
            raise UserError(f"{path} holds no study: give a study file or a result folder")
        settings = load_study(file)
        if settings.tracking.uri is not None:  # a relative one starts from where the study was
            tracking = settings.tracking.model_copy(update={"uri": tracking_uri(source)})
            settings = settings.model_copy(update={"tracking": tracking})
        return cls(settings, results, source=file, address=address, alone=alone, console=console)

    @classmethod
    def from_dict(
        cls,
        sections: Mapping[str, Any],
        results: PathLike | None = None,
        *,
        address: str | None = None,
        alone: bool = False,
        console: Console | None = None,
    ) -> Study:
        """A study from its sections as a mapping, with the keys of a study file.

        The result folder's study.yaml is written from it. Folders of base policies are relative
        to the working directory.

        Raises:
            UserError: naming the key, the value and the remedy.
        """
        from sport_ray.experiments.config.study import parse_study

        settings = parse_study(sections, "study")
        return cls(settings, results, address=address, alone=alone, console=console)

    def __repr__(self) -> str:
        return f"<Study {self.settings.name!r}, results in {self.results_dir}>"

    def train_base(self, out: PathLike | None = None) -> Path:
        """Train a base policy from scratch (default: into RESULTS/base); the folder it is in."""
        from sport_ray.experiments.stages.run import train_base

        with self._at_work() as context:
            return train_base(context, None if out is None else user_path(out))

    def certify(self) -> Certificate:
        """Certify the base policy: independent complete scenarios, ε_base(T) for every T.

        Always runs; the same settings give the same numbers. See ``certificate`` for what is
        there already, and ``run``, which does what is missing.
        """
        from sport_ray.experiments.stages.run import certify_base

        with self._at_work() as context:
            return certify_base(context)

    def tune(self) -> Tuning:
        """Search training parameters, as the study's section tuning says; needs a certificate."""
        from sport_ray.experiments.stages.run import tune_study

        with self._at_work() as context:
            return tune_study(context)

    def sweep(self) -> SweepSummary:
        """Train and evaluate the cells that are missing; needs a certificate.

        Returns how many cells are planned, finished and failed; a cell that failed raises
        nothing: see ``results()`` and ``status()`` for the reason.
        """
        from sport_ray.experiments.stages.run import sweep_study

        with self._at_work() as context:
            return sweep_study(context)

    def run(self) -> SweepSummary:
        """Every stage that is missing, then the pages to read; of several bases, for each.

        The summary counts the cells of all bases.
        """
        from sport_ray.experiments.stages.bases import for_each_base, run_whole, together
        from sport_ray.experiments.stages.run import run_study, write_pages

        if self.settings.part_names:
            with self._at_work(one=False) as context:
                done = for_each_base(context, run_whole, self._text)
            self.report()
            return together(done)
        with self._at_work() as context:
            summary = run_study(context)
        write_pages(context)
        return summary

    @property
    def certificate(self) -> Certificate:
        """The certificate in the result folder; runs nothing.

        Raises:
            UserError: none there, altered, or for other settings than the study's.
        """
        from sport_ray.experiments.stages.certify import load_matching
        from sport_ray.samplers import read_base

        self._require_one_base()
        folder = self._folder()
        if not folder.certificate.exists():
            raise UserError(f"{folder.root} holds no certificate: call certify()")
        return load_matching(folder, read_base(folder.base))

    def _modules(self) -> list[str]:
        """The user's modules that the study names: they may run."""
        named = (self.settings.environment.id, *self.settings.all_bases)
        return [one.rpartition(":")[0] for one in named]

    def verify(self, rerun: int = 0) -> list[Check]:
        """Recompute every number of the certificate from its table; the outcome of each check.

        rerun: run so many scenarios again from their seeds, with the study's own module. A
        check's ``passed`` is True, False, or None where it could not be made.
        """
        from sport_ray.certificates.verify import verify_certificate
        from sport_ray.experiments.stages.progress import counting

        self._require_one_base()
        path = self.results_dir / "certificate.json"
        trust = self._modules()
        if not rerun:
            return verify_certificate(path)
        with counting(self.console, "run again: scenarios", rerun) as advance:
            return verify_certificate(path, rerun=rerun, trust=trust, progress=advance)

    def plan(
        self,
        eps_max: float | Sequence[float] | None = None,
        horizon: int | None = None,
        *,
        alpha_mu: float = 1.0,
        alpha_p: float = 1.0,
    ) -> pd.DataFrame:
        """The largest α for each acceptable risk and T, by the certificate; nothing is trained.

        One row per ε_max and T: eps_max, horizon (steps), num_violations, eps_base, alpha and
        log_alpha (nats per step; NaN where even the base exceeds ε_max), prior_bound. All rows
        hold together with the certificate's confidence, so the best may be picked. alpha_mu,
        alpha_p: density ratios of initial laws and dynamics, deployment over base.
        """
        from sport_ray.experiments.stages.permitted import plan_frame, plan_rows

        levels = [eps_max] if isinstance(eps_max, (int, float)) else eps_max
        world = {"alpha_mu": alpha_mu, "alpha_p": alpha_p}
        return plan_frame(plan_rows(self.certificate, levels, horizon, **world))

    def status(self) -> Status:
        """Which cells are done, running, failed and not started, and the time left."""
        from sport_ray.experiments.config.study_file import study_values
        from sport_ray.experiments.results.status import has_changed, read_status

        self._require_one_base()
        if not self.results_dir.is_dir():
            raise UserError(f"no result folder {self.results_dir}: make one with run()")
        changed = has_changed(self.results_dir, study_values(self._text, "study"))
        return read_status(self.results_dir, changed)

    def results(self) -> pd.DataFrame:
        """One row per cell; its columns: ``sport_ray.tracking.results.record.COLUMNS``."""
        from sport_ray.tracking import load_results

        self._require_one_base()
        return load_results(self.results_dir)

    def pareto(self) -> pd.DataFrame:
        """The Pareto fronts of risk against performance, one for each kind of risk.

        ``risk_kind``: prior_bound (certified before any rollout), posterior_bound, or
        empirical_violation_rate (an estimate, no bound). Columns:
        ``sport_ray.tracking.analysis.pareto``.
        """
        from sport_ray.tracking.analysis.pareto import pareto_table
        from sport_ray.tracking.results.statistics import aggregate

        return pareto_table(aggregate(self.results()))

    def answer(self) -> View:
        """What certified risk buys, with the promises behind it; as text, and HTML in a notebook.

        The same as the report says first. Before a cell has finished it says that.
        """
        from sport_ray.tracking.report.answer_view import answer_view
        from sport_ray.tracking.results.records import read_results

        self._require_one_base()
        return answer_view(read_results(self.results_dir, may_be_empty=True))

    def report(self, track: bool = False, out: PathLike | None = None) -> Path:
        """Write report.html, the tables and ``figures/`` beside it; the page.

        track: also send to MLflow what was not logged yet. out: where to write, by default into
        the result folder.
        """
        from sport_ray.tracking import log_sweep, write_report
        from sport_ray.tracking.console import say
        from sport_ray.tracking.report.bases import write_bases_report
        from sport_ray.tracking.report.sizes import write_sizes_report

        if self.settings.part_names:
            begun = {base: one for base, one in self.each().items() if one.results_dir.is_dir()}
            for one in begun.values():
                one.report(track, None if out is None else user_path(out) / one.results_dir.name)
            write = write_sizes_report if self.settings.sizes else write_bases_report
            return write(self.results_dir, out)[0]
        page = write_report(self.results_dir, out)
        if track:
            sent = log_sweep(self.results_dir, self.settings.tracking.uri)
            say(self.console, f"MLflow: {sent.text}")
        return page

    def export(self, cell: str, out: PathLike) -> str:
        """Write a finished cell's policy as a folder for ``sport_ray.deploy.load``; its digest.

        cell: a cell's id (``cell_id`` in ``results()``) or its beginning.
        """
        from sport_ray.deploy.export import write_bundle
        from sport_ray.experiments.stages.export import export_of, locate_cell

        self._require_one_base()
        where = locate_cell(cell, self.results_dir)
        return write_bundle(user_path(out), export_of(*where, self._modules()))

    def _require_one_base(self) -> None:
        """Refuse, for what is about one base, a study over several."""
        if self.settings.part_names:
            what = "bases" if self.settings.bases else "sizes"
            raise UserError(f"the study has several {what}: take one of study.each()")

    def _dump(self) -> bytes:
        """A study file of what was given, which reads back as the same study."""
        from sport_ray.experiments.config.study_file import dump_study

        return dump_study(self.settings.model_dump(mode="json", exclude_unset=True))

    def _folder(self) -> StudyFolder:
        from sport_ray.experiments.results.folder import StudyFolder

        return StudyFolder(self.results_dir, self.settings, self._text)

    def _at_work(self, one: bool = True) -> AbstractContextManager[Context]:
        from sport_ray.experiments.stages.context import Context

        if one:
            self._require_one_base()
        folder = self._folder()
        return at_work(
            Context(
                self.settings, self.source, folder, self.console, self.address, alone=self.alone
            )
        )
