"""Imports that take seconds, where nobody waits for them: beside Ray's start, and in its workers.

Modules are named as text: whoever names them here does not import them.
"""

from __future__ import annotations

import contextlib
import gc
import os
import site
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

BESIDE_RAY = (
    "torch",
    "numba",
    "pandas",
    "gymnasium",
    "sport_ray.rollouts",
    "sport_ray.certificates",
    "sport_ray.selection",
)
"""What the driver imports while it waits for Ray. None of them imports Ray, which is half there."""

FOR_CELLS = ("sport_ray.experiments.sweep.driver", "sport_ray.experiments.sweep.job")
"""What a process imports that runs cells."""


MOST_CPUS = 32
"""Ray starts a worker for each CPU. On larger machines most would import for nothing."""


@contextmanager
def no_collection() -> Iterator[None]:
    """The garbage collector waits: what imports make stays, and to look through it takes time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def import_all(modules: Sequence[str]) -> None:
    """Import modules in order; one that cannot be imported is left to whoever needs it."""
    for name in modules:
        with contextlib.suppress(Exception):
            import_module(name)


@contextmanager
def importing(modules: Sequence[str]) -> Iterator[None]:
    """A thread imports the modules during the block, which waits for other processes meanwhile."""
    thread = Thread(target=import_all, args=(modules,), name="imports", daemon=True)
    with no_collection():
        thread.start()
        try:
            yield
        finally:
            thread.join()


def prepare() -> None:
    """What every worker of a Ray that is started here does first: import what cells need.

    Ray starts one for each CPU with itself, so that they import while the driver certifies.
    """
    with no_collection():
        import_all(FOR_CELLS)
        gc.freeze()  # this process is ours, and later collections pass by what was imported


@contextmanager
def workers_prepare() -> Iterator[None]:
    """Whoever starts Ray in the block has workers that call ``prepare`` before their first work.

    With the variable by which Ray itself tells a worker of its ``worker_process_setup_hook``. Asked
    for in a runtime environment, the hook would cost each worker a second start.
    """
    from ray._private import ray_constants

    name = getattr(ray_constants, "WORKER_PROCESS_SETUP_HOOK_ENV_VAR", None)
    many = (os.cpu_count() or 1) > MOST_CPUS
    if name is None or many or not _any_python_finds_this():
        yield
        return
    os.environ[name] = f"{__name__}.{prepare.__name__}"
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _any_python_finds_this() -> bool:
    """Whether a new process can import this package; what a driver adds to its path comes later."""
    package = __name__.partition(".")[0]
    places = [*site.getsitepackages(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    if any(place and (Path(place) / package / "__init__.py").is_file() for place in places):
        return True
    return any(name.startswith(f"__editable___{package}_") for name in sys.modules)


def no_usage_statistics() -> None:
    """Tune does not count which loggers it is given, for which it imports them all, with MLflow.

    Nothing is sent in any case (``session.QUIET``).
    """
    from ray.air._internal import usage

    usage.tag_callbacks = lambda callbacks: False


def actors_in_any_worker() -> None:
    """Let Tune's actors live in the processes that are there.

    Tune gives its actors an environment variable, and Ray starts a new process for each environment
    that is not its own: it would import everything again. Where the variable is set for all of Ray
    (``session.QUIET``) the actors need none. A process that ran tasks is never given to an actor.
    """
    from ray.tune.execution import class_cache

    class_cache.DEFAULT_ENV_VARS = {}
