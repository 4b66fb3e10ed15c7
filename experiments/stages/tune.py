"""The tuning stage: tune what is not tuned yet, and go on with the winner's parameters."""

from __future__ import annotations

from sport_ray.certificates import Certificate
from sport_ray.errors import UserError
from sport_ray.experiments.cluster.session import ray_session
from sport_ray.experiments.config.axes import point_text
from sport_ray.experiments.config.tuning import require_search
from sport_ray.experiments.results.disk import require_space
from sport_ray.experiments.stages.context import Context, interrupted
from sport_ray.experiments.stages.progress import counting
from sport_ray.experiments.tuning.driver import run_tuning
from sport_ray.experiments.tuning.record import Tuning, read_tuning, tuned_study
from sport_ray.experiments.tuning.task import tuning_task


def do_tuning(context: Context, certificate: Certificate) -> Tuning:
    """The study's tuning, from its file or run now with progress.

    Raises:
        UserError: a package that is missing, more resources asked for than any node has, or no
            trial that ended well.
        Interrupted: Ctrl-C or SIGTERM; trials that have ended are kept.
    """
    task = tuning_task(context.study, certificate)
    require_search(context.study.tuning)
    found = read_tuning(context.folder, task)
    if found is not None:
        context.console.print("tuned already for these settings")
        return found
    tuning = context.study.tuning
    assert tuning is not None
    context.folder.hold()
    require_space(context.folder.root)
    try:
        with (
            ray_session(context.address),
            counting(context.console, "tune: trials", tuning.trials) as advance,
        ):
            found = run_tuning(context.folder, task, lambda record: advance(1))
    except (KeyboardInterrupt, SystemExit) as error:
        raise interrupted(context, "tune", "trials that have ended are kept", error) from None
    context.console.print(found.summary(), soft_wrap=True)
    return found


def tuned(context: Context, certificate: Certificate, *, run: bool) -> Context:
    """The context with the winner's parameters in its study; as it is without a tuning section.

    run: tune first where that is missing.

    Raises:
        UserError: not tuned for these settings, and not to be now.
    """
    if context.study.tuning is None:
        return context
    if run:
        found: Tuning | None = do_tuning(context, certificate)
    else:
        found = read_tuning(context.folder, tuning_task(context.study, certificate))
    if found is None:
        raise UserError(
            f"the study asks for tuning, and {context.folder.root} has none for its settings: "
            "run `sport-ray tune`"
        )
    return with_winner(context, found)


def with_winner(context: Context, tuning: Tuning) -> Context:
    """The context, and its folder, with the winner's parameters in the study."""
    study = tuned_study(context.study, tuning)
    parameters = point_text(tuple(sorted(tuning.winner.items())))
    context.console.print(f"training with the tuned {parameters}", soft_wrap=True)
    context.folder.study = study
    return context._replace(study=study)
