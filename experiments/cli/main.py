"""The command line: sport-ray train-base, certify, tune, sweep, status, watch, report, run."""

from __future__ import annotations

import inspect
import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sport_ray.errors import UserError
from sport_ray.experiments.cli.analysis import compare_command, publish_command
from sport_ray.experiments.cli.at_work import at_work, each
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
    WorkDir,
    run_trusted,
)
from sport_ray.experiments.cli.panels import BEFORE, CERTIFICATES, DEPLOYED, RESULTS, STUDY
from sport_ray.experiments.cli.policies import import_base_command
from sport_ray.experiments.cli.slurm import slurm_command
from sport_ray.experiments.cli.streams import forgiving_streams
from sport_ray.experiments.cli.uris import with_copies
from sport_ray.experiments.cli.watch import watch_command, watched
from sport_ray.experiments.config.paths import expanded_argument
from sport_ray.tracking.console import PlainConsole, say
from sport_ray.tracking.mlflow.uris import mask_text


class _Commands(TyperGroup):
    """The commands; what begins with ~ or a variable is a path, in ``--out=~/x`` as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Arguments with such paths expanded, and copies in the place of URIs that are read."""
        return super().parse_args(ctx, with_copies([expanded_argument(one) for one in args]))

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
        "[bold]status[/] (what is done, and the time left), [bold]watch[/] (the same with the "
        "report, in a browser), [bold]report[/] (Pareto front, "
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
    work_dir: WorkDir = None,
) -> None:
    """Train a base policy and save it without pickle (safetensors + JSON).

    The study's section base_training holds the algorithm (PPO or soft actor-critic), its
    parameters, the seed, and the rule, if there is one, by which training ends. The policy that
    ships with the package was made this way: experiments/bases/*/policy.json has the command.
    """
    with at_work("train-base", study_path, results, address, work_dir=work_dir) as context:
        from sport_ray.experiments.stages.run import train_base

        if context.study.bases is not None and out is None:
            raise UserError("the study has several bases: say with --out which folder is trained")
        train_base(context, out, seed)


@app.command(rich_help_panel=STUDY)
def certify(
    study_path: Study,
    results: Results = None,
    address: Address = None,
    no_ray: NoRay = False,
    work_dir: WorkDir = None,
) -> None:
    """Certify the base policy: N independent complete scenarios, ε_base(T) for every T.

    Writes certificate.json into the result folder, with everything the bound depends on and a
    digest over itself. Always runs, and replaces what is there; the same settings give the same
    numbers. Ray is started only where its workers are sooner done than this process.
    """
    with at_work("certify", study_path, results, address, no_ray, work_dir) as context:
        from sport_ray.experiments.stages.run import certify_base

        each(context, certify_base)


@app.command(rich_help_panel=STUDY)
def tune(
    study_path: Study, results: Results = None, address: Address = None, work_dir: WorkDir = None
) -> None:
    """Search training parameters at one constraint and one T, as the study's section tuning says.

    Each trial trains under that constraint and is judged by its task performance on scenarios of
    its own purpose, never on those that cells are evaluated on. Writes tuning.json into the
    result folder; the sweep then trains all its cells with the winner's parameters. Needs a
    certificate. Trials that have ended are kept; run the command again to resume.
    """
    with at_work("tune", study_path, results, address, work_dir=work_dir) as context:
        from sport_ray.experiments.stages.run import tune_study

        each(context, tune_study)


@app.command(rich_help_panel=STUDY)
def sweep(
    study_path: Study,
    results: Results = None,
    address: Address = None,
    no_ray: NoRay = False,
    work_dir: WorkDir = None,
) -> None:
    """Train and evaluate the study's cells: α × T × seeds × methods, on Ray Tune.

    Needs a certificate (see certify) for exactly this base, environment and property. Cells that
    are finished already are kept; run the command again to resume after an interruption. Ctrl-C
    stops within seconds; watch from another terminal with `sport-ray status`. Exit status 3: the
    cells are there, and one of them refutes what was promised of it; so of `report` and `run`.
    """
    with at_work("sweep", study_path, results, address, no_ray, work_dir) as context:
        from sport_ray.experiments.results.alarm import end_with
        from sport_ray.experiments.stages.bases import together
        from sport_ray.experiments.stages.run import sweep_study

        end_with(together(each(context, sweep_study)).refuted)


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
    paper: Annotated[
        bool, typer.Option("--paper", help="Also write figures, tables and methods in LaTeX.")
    ] = False,
    column: Annotated[
        float, typer.Option("--column", metavar="INCHES", help="Width of the paper's columns.")
    ] = 3.25,
    trust: Trust = None,
) -> None:
    """Write report.html, cells.csv, pareto.csv and the figures from a result folder.

    --paper writes paper/main.tex, which includes all of its figures and tables and compiles.
    --track sends to tracking.uri of the study, else to MLFLOW_TRACKING_URI, else to mlflow.db in
    the result folder.
    """
    run_trusted(trust)
    from sport_ray.experiments.cli.report import report_bases, report_folder
    from sport_ray.experiments.results.alarm import end_with
    from sport_ray.experiments.results.status import tracking_uri
    from sport_ray.tracking.results.bases import sub_folders

    if study_path.is_dir():
        folder = study_path
        uri = tracking_uri(folder)  # without credentials, which do not lie in the folder
    else:
        with at_work("report", study_path, results) as context:
            folder, uri = context.folder.root, context.study.tracking.uri
    make = report_bases if sub_folders(folder) else report_folder
    end_with(make(PlainConsole(), folder, out, track, uri, column if paper else None))


app.command("watch", rich_help_panel=STUDY)(watch_command)


@app.command(rich_help_panel=STUDY)
def run(
    study_path: Study,
    results: Results = None,
    address: Address = None,
    no_ray: NoRay = False,
    work_dir: WorkDir = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Serve the live page meanwhile; prints its address.")
    ] = False,
) -> None:
    """Do every stage of a study that is missing, then print the Pareto front.

    train-base (if the study's base does not exist and the study says how to train it), certify,
    tune (if the study has the section), sweep, report. Run it again to resume: nothing that is
    finished is repeated.
    """
    with at_work("run", study_path, results, address, no_ray, work_dir) as context:
        from sport_ray.experiments.cli.report import print_bases, print_opening, print_report
        from sport_ray.experiments.results.alarm import end_with, print_alarm
        from sport_ray.experiments.stages.bases import run_whole, together

        with watched(context.console, context.folder.root, watch):
            summary = together(each(context, run_whole))
        print_alarm(context.console, summary.refuted)
        folder = context.folder.root
        if context.study.part_names:
            print_bases(context.console, folder)
        else:
            print_report(context.console, folder, folder / "report.html")
        print_opening(context.console, folder, context.study.tracking.uri)
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
    # A script's `sport-ray run … &` begins with SIGINT ignored; Slurm and a lost lease need it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with forgiving_streams():
        try:
            app(standalone_mode=True)
        except UserError as error:
            message = mask_text(" ".join(str(error).split()))
            say(PlainConsole(stderr=True), f"sport-ray: {message}")
            sys.exit(getattr(error, "exit_status", 2))


if __name__ == "__main__":
    main()
