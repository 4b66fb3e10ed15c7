"""The command line: sport-ray train-base | certify | tune | sweep | status | report | run."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from sport_ray.errors import UserError
from sport_ray.experiments.cli.analysis import compare_command, publish_command
from sport_ray.experiments.cli.bases import base_command
from sport_ray.experiments.cli.bench import bench_command
from sport_ray.experiments.cli.certificates import (
    new_key_command,
    plan_command,
    sign_command,
    verify_command,
)
from sport_ray.experiments.cli.deployment import audit_command, export_command
from sport_ray.experiments.cli.mixtures import mix_command
from sport_ray.experiments.cli.monitoring import monitor_command
from sport_ray.experiments.cli.options import (
    Address,
    NoRay,
    Results,
    Study,
    StudyOrResults,
    Trust,
    run_trusted,
)
from sport_ray.experiments.cli.panels import BEFORE, CERTIFICATES, DEPLOYED, RESULTS, STUDY
from sport_ray.experiments.cli.policies import import_base_command
from sport_ray.experiments.cli.slurm import slurm_command
from sport_ray.experiments.cli.streams import forgiving_streams
from sport_ray.experiments.config.paths import expanded_argument
from sport_ray.tracking.console import PlainConsole, say
from sport_ray.tracking.mlflow.uris import mask_text

if TYPE_CHECKING:  # Ray and torch take seconds: a mistake in a study is told before
    from sport_ray.experiments.stages.context import Context

_Found = TypeVar("_Found")


class _Commands(TyperGroup):
    """The commands; what begins with ~ or a variable is a path, in ``--out=~/x`` as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments with such paths expanded."""
        return super().parse_args(ctx, [expanded_argument(argument) for argument in args])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command, whose paragraphs are filled to any width: a docstring's lines are not."""
        found = super().get_command(ctx, cmd_name)
        if found is not None and found.help:
            paragraphs = inspect.cleandoc(found.help).split("\n\n")
            found.help = "\n\n".join(" ".join(one.split()) for one in paragraphs)
        return found


app = typer.Typer(
    name="sport-ray",
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=(
        "How much task performance does each level of certified risk buy?\n\n"
        "A study file names a base policy that is assumed safe, an environment, a property and "
        "a grid. The stages are: [bold]train-base[/] (only if you have no base policy), "
        "[bold]certify[/] (bound the base's violation probability from rollouts), [bold]tune[/] "
        "(search training parameters at one α, where the study asks for it), [bold]sweep[/] "
        "(train and evaluate policies whose density ratio to the base is at most α), "
        "[bold]status[/] (what is done, and the time left), [bold]report[/] (Pareto front, "
        "figures, tables). [bold]run[/] does what is missing.\n\n"
        "Start with: sport-ray run quickstart"
    ),
)


def _say_version(asked: bool) -> None:
    if asked:
        from sport_ray import __version__

        typer.echo(f"sport-ray {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """What stands before a command."""


def _context(
    command: str,
    study_path: Path,
    results: Path | None,
    address: str | None = None,
    alone: bool = False,
) -> Context:
    """What the stages work on; called before they, and Ray with them, are imported."""
    from sport_ray.experiments.config.shipped import study_file
    from sport_ray.experiments.config.study import load_study
    from sport_ray.experiments.results.folder import StudyFolder

    again: tuple[str, ...] = ("sport-ray", command, str(study_path))
    again += ("--results", str(results)) if results else ()
    again += ("--address", address) if address else ()
    again += ("--no-ray",) if alone else ()
    if alone and address:
        raise UserError("--address joins a Ray cluster and --no-ray uses none: give one of them")
    study_path = study_file(study_path)
    study = load_study(study_path)
    from sport_ray.experiments.stages.context import Context

    folder = StudyFolder(results or Path("results") / study.name, study)
    return Context(study, study_path, folder, PlainConsole(), address, again, alone)


def _each(context: Context, do: Callable[[Context], _Found]) -> dict[str, _Found]:
    """A command's stage once per base.

    Raises:
        Interrupted: Ctrl-C, wherever it came: one line with the command that resumes.
    """
    from sport_ray.experiments.stages.bases import each
    from sport_ray.experiments.stages.context import interrupted

    try:
        return each(context, do)
    except KeyboardInterrupt as error:  # of a stage that does not say so itself
        raise interrupted(context, "run", "stages that have ended are kept", error) from None


@app.command("train-base", rich_help_panel=STUDY)
def train_base_command(
    study_path: Study,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the policy (default: RESULTS/base).")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Instead of base_training.seed.", min=0)
    ] = None,
    results: Results = None,
    address: Address = None,
) -> None:
    """Train a base policy and save it without pickle (safetensors + JSON).

    The study's section base_training holds the algorithm (PPO or soft actor-critic), its
    parameters, the seed, and the rule, if there is one, by which training ends. The policy that
    ships with the package was made this way: experiments/bases/*/policy.json has the command.
    """
    context = _context("train-base", study_path, results, address)
    from sport_ray.experiments.stages.run import train_base

    if context.study.bases is not None and out is None:
        raise UserError("the study has several bases: say with --out which folder is trained")
    train_base(context, out, seed)


@app.command(rich_help_panel=STUDY)
def certify(
    study_path: Study, results: Results = None, address: Address = None, no_ray: NoRay = False
) -> None:
    """Certify the base policy: N independent complete scenarios, ε_base(T) for every T.

    Writes certificate.json into the result folder, with everything the bound depends on and a
    digest over itself. Always runs, and replaces what is there; the same settings give the same
    numbers. Ray is started only where its workers are sooner done than this process.
    """
    context = _context("certify", study_path, results, address, no_ray)
    from sport_ray.experiments.stages.run import certify_base

    _each(context, certify_base)


@app.command(rich_help_panel=STUDY)
def tune(study_path: Study, results: Results = None, address: Address = None) -> None:
    """Search training parameters at one constraint and one T, as the study's section tuning says.

    Each trial trains under that constraint and is judged by its task performance on scenarios of
    its own purpose, never on those that cells are evaluated on. Writes tuning.json into the
    result folder; the sweep then trains all its cells with the winner's parameters. Needs a
    certificate. Trials that have ended are kept; run the command again to resume.
    """
    context = _context("tune", study_path, results, address)
    from sport_ray.experiments.stages.run import tune_study

    _each(context, tune_study)


@app.command(rich_help_panel=STUDY)
def sweep(
    study_path: Study, results: Results = None, address: Address = None, no_ray: NoRay = False
) -> None:
    """Train and evaluate the study's cells: α × T × seeds × methods, on Ray Tune.

    Needs a certificate (see certify) for exactly this base, environment and property. Cells that
    are finished already are kept; run the command again to resume after an interruption. Ctrl-C
    stops within seconds; watch from another terminal with `sport-ray status`. Exit status 3: the
    cells are there, and one of them refutes what was promised of it; so of `report` and `run`.
    """
    context = _context("sweep", study_path, results, address, no_ray)
    from sport_ray.experiments.results.alarm import end_with
    from sport_ray.experiments.stages.bases import together
    from sport_ray.experiments.stages.run import sweep_study

    end_with(together(_each(context, sweep_study)).refuted)


@app.command(rich_help_panel=STUDY)
def status(
    study_path: StudyOrResults,
    results: Results = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one JSON object.")] = False,
) -> None:
    """Show which cells are done, running, failed (and why) or not started, and the time left.

    Reads the result folder alone and starts nothing, so it may be called at any time, from any
    machine that sees the folder. Time left: the median time of the cells of a kind that are done,
    times those that are not, divided by how many run at a time.
    """
    from sport_ray.experiments.cli.status import print_status, print_statuses, resuming
    from sport_ray.experiments.results.status import locate, read_status, status_of_bases

    folder, changed = locate(study_path, results)
    bases = status_of_bases(folder, changed)
    again, console = resuming(study_path, results), PlainConsole()
    if not as_json and bases:
        print_statuses(console, bases, again)
    elif not as_json:
        print_status(console, read_status(folder, changed), again)
    elif bases:
        told = {base: one and one.to_json() for base, one in bases.items()}
        sys.stdout.write(json.dumps({"folder": str(folder), "bases": told}, indent=1) + "\n")
    else:
        sys.stdout.write(json.dumps(read_status(folder, changed).to_json(), indent=1) + "\n")


@app.command(rich_help_panel=STUDY)
def report(
    study_path: StudyOrResults,
    results: Results = None,
    track: Annotated[
        bool, typer.Option("--track", help="Also send to MLflow what was not logged yet.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write (default: into the result folder).")
    ] = None,
    trust: Trust = None,
) -> None:
    """Write report.html, cells.csv, pareto.csv and the figures from a result folder.

    --track sends to tracking.uri of the study, else to MLFLOW_TRACKING_URI, else to mlflow.db in
    the result folder.
    """
    run_trusted(trust)
    context = None if study_path.is_dir() else _context("report", study_path, results)
    from sport_ray.experiments.cli.report import report_bases, report_folder
    from sport_ray.experiments.results.alarm import end_with
    from sport_ray.experiments.results.status import tracking_uri
    from sport_ray.tracking.results.bases import sub_folders

    folder = study_path if context is None else context.folder.root
    # What lies in the folder has no credentials; the study file may.
    uri = context.study.tracking.uri if context else tracking_uri(folder)
    make = report_bases if sub_folders(folder) else report_folder
    end_with(make(PlainConsole(), folder, out, track, uri))


@app.command(rich_help_panel=STUDY)
def run(
    study_path: Study, results: Results = None, address: Address = None, no_ray: NoRay = False
) -> None:
    """Do every stage of a study that is missing, then print the Pareto front.

    train-base (if the study's base does not exist and the study says how to train it), certify,
    tune (if the study has the section), sweep, report. Run it again to resume: nothing that is
    finished is repeated.
    """
    context = _context("run", study_path, results, address, no_ray)
    from sport_ray.experiments.cli.report import print_bases, print_report
    from sport_ray.experiments.results.alarm import end_with, print_alarm
    from sport_ray.experiments.stages.bases import run_whole, together
    from sport_ray.tracking.mlflow.client import store_uri
    from sport_ray.tracking.mlflow.uris import mask_uri

    summary = together(_each(context, run_whole))
    print_alarm(context.console, summary.refuted)
    folder = context.folder.root
    if context.study.part_names:
        print_bases(context.console, folder)
    else:
        print_report(context.console, folder, folder / "report.html")
        store = store_uri(context.study.tracking.uri, folder)
        context.console.print(f"MLflow store: {mask_uri(store)}", soft_wrap=True)
    end_with(summary.refuted)


app.command("slurm", rich_help_panel=STUDY)(slurm_command)
app.command("base", rich_help_panel=BEFORE)(base_command)
app.command("import-base", rich_help_panel=BEFORE)(import_base_command)
app.command("plan", rich_help_panel=BEFORE)(plan_command)
app.command("verify", rich_help_panel=CERTIFICATES)(verify_command)
app.command("sign", rich_help_panel=CERTIFICATES)(sign_command)
app.command("new-key", rich_help_panel=CERTIFICATES)(new_key_command)
app.command("bench", rich_help_panel=RESULTS)(bench_command)
app.command("compare", rich_help_panel=RESULTS)(compare_command)
app.command("publish", rich_help_panel=RESULTS)(publish_command)
app.command("mix", rich_help_panel=RESULTS)(mix_command)
app.command("export", rich_help_panel=DEPLOYED)(export_command)
app.command("audit", rich_help_panel=DEPLOYED)(audit_command)
app.command("monitor", rich_help_panel=DEPLOYED)(monitor_command)


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit status 2.

    A sweep that Ctrl-C ended is such a line too, with exit status 130.
    """
    with forgiving_streams():
        try:
            app(standalone_mode=True)
        except UserError as error:
            message = mask_text(" ".join(str(error).split()))
            say(PlainConsole(stderr=True), f"sport-ray: {message}")
            sys.exit(getattr(error, "exit_status", 2))


if __name__ == "__main__":
    main()
