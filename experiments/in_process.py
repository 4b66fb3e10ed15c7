"""What work inside another program, such as a notebook, must not leave behind."""

from __future__ import annotations

import gc
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.console import Console

from sport_ray.tracking.console import NotebookConsole, PlainConsole

if TYPE_CHECKING:
    from sport_ray.experiments.stages.context import Context

WIDTH = 100


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    return Console().is_jupyter


def default_console() -> Console:
    """Where progress is shown unless the caller says otherwise.

    In a notebook a bar is one line that is written over, also once the notebook is saved.
    """
    if not in_notebook():
        return PlainConsole()
    if find_spec("ipywidgets") is None:
        # Ray and tqdm ask for it as soon as they are imported.
        logging.getLogger("ray.widgets").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", message="IProgress not found")
    return NotebookConsole(width=WIDTH)


@contextmanager
def at_work(context: Context) -> Iterator[Context]:
    """For the length of a stage; afterwards the folder's lock and torch are as they were before.

    Raises:
        KeyboardInterrupt, SystemExit: Ctrl-C and SIGTERM, which a loop over studies must not take
            for a study's own error.
    """
    from sport_ray.experiments.cluster.signals import TERMINATED, Terminated
    from sport_ray.experiments.stages.context import Interrupted

    try:
        with torch_as_found():
            yield context
    except Interrupted as error:
        forget_frames(error)
        if error.exit_status == TERMINATED:
            context.console.print(str(error), soft_wrap=True)
            raise Terminated from None
        raise KeyboardInterrupt(f"{error} (or call the method again)") from None
    except KeyboardInterrupt as error:
        forget_frames(error)
        raise
    finally:
        context.folder.release()


@contextmanager
def torch_as_found() -> Iterator[None]:
    """Gives back torch's number of threads and random state, which stages set for this process."""
    import torch

    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def forget_frames(error: BaseException | None) -> None:
    """Drop the local variables of all frames that an error, and what led to it, went through.

    A notebook keeps the last error for its debugger, and with it those frames. After an
    interruption they hold Tune's controller, and that one holds a Ray that goes on: CPUs that the
    next sweep would wait for.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__
    gc.collect()
