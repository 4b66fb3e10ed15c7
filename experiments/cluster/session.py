"""Start Ray for a stage: on this machine, or join a cluster."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import secrets
import socket
import stat
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sport_ray.errors import UserError
from sport_ray.experiments.cluster.imports import (
    BESIDE_RAY,
    importing,
    no_collection,
    workers_prepare,
)
from sport_ray.experiments.cluster.local_start import local_start
from sport_ray.experiments.cluster.patience import ended_if_stopped, started_with_patience
from sport_ray.experiments.cluster.signals import held, terminating_still

QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "PL_DISABLE_FORK": "1",  # see actors_in_any_worker
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "PYTHONWARNINGS": "ignore::DeprecationWarning",
}


_started: list[bool] = []
"""Of the session that is open: whether Ray was started here."""


def started_here() -> bool:
    """Whether this process started the Ray that it uses, with ``QUIET`` as its environment."""
    return bool(_started) and _started[0]


def quiet_ray() -> None:
    """Keep Ray's loggers to errors: its warnings are about its own API stacks."""
    for name in ("ray", "ray.rllib", "ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)


def require_answer(address: str) -> None:
    """Fail within seconds where nothing listens; Ray itself would wait for minutes.

    Raises:
        UserError: naming the address.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return  # "auto", "local": Ray's own names
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5.0).close()
    except OSError as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error}): start one with `ray up cluster.yaml` "
            "or give the address that `ray start --head` printed"
        ) from None


def keep_token_private() -> None:
    """Write Ray's token file before Ray does, for its owner alone; and make one that is there so.

    Whoever reads the token may run code here. Ray writes it as the umask says, which on most
    machines lets every user of the machine read it.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    with contextlib.suppress(OSError, RuntimeError):  # then Ray says what is wrong with it
        if not given and not os.environ.get("RAY_AUTH_TOKEN"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            whole = path.with_name(f".auth_token.{secrets.token_hex(8)}")
            handle = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "w") as file:
                    file.write(secrets.token_hex(32))
                if not path.exists():
                    whole.replace(path)  # all at once
            finally:
                whole.unlink(missing_ok=True)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)


@contextmanager
def _no_collection_elsewhere() -> Iterator[None]:
    """Ray's references are let go before it shuts down, and not by another thread meanwhile.

    Tune leaves cycles that hold some. Where the garbage collector happens to run in another thread
    (the one that logs to MLflow) while ``ray.shutdown`` is under way, Ray finds a reference
    returned to a core worker that is gone, and ends the whole process without a word.
    """
    with no_collection():
        _collect()
        yield


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


def _collect(patience: float = 5.0) -> None:
    """A whole collection, after one that another thread is at, which makes ``collect`` do nothing.

    patience: seconds.
    """
    new = weakref.ref(_Cycle())
    deadline = time.monotonic() + patience
    gc.collect()
    while new() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
        gc.collect()


@contextmanager
def ray_session(
    address: str | None = None, num_cpus: int | None = None, *, for_cells: bool = False
) -> Iterator[None]:
    """Ray for the length of a stage; one that is already running in this process is left alone.

    for_cells: workers that are started here import what cells need before there are any.

    Without an address (nor ``RAY_ADDRESS``) Ray starts on this machine, as large as the machine,
    and listens on loopback alone. Other users of the machine are kept out by token authentication
    (Ray's own default where ``RAY_AUTH_MODE`` is unset): whoever may join can run code.

    Raises:
        UserError: a cluster address that does not answer; a Ray that does not come up here, tried
            twice.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None  # set by `ray job submit`
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if address is not None:
        require_answer(address)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="ray")
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    with no_collection():
        import ray

    quiet_ray()
    if ray.is_initialized():
        yield
        return
    with terminating_still():
        if address is None:
            _start_here(num_cpus, for_cells=for_cells)
        else:
            _join(address)
    _started.append(address is None)
    try:
        yield
    finally:
        _started.clear()
        with _no_collection_elsewhere():
            ray.shutdown()


def _start_here(num_cpus: int | None, *, for_cells: bool) -> None:
    import ray

    def start(nodes: list[Any]) -> None:
        keep_token_private()
        preparing = workers_prepare() if for_cells else contextlib.nullcontext()
        with local_start(nodes), preparing, importing(BESIDE_RAY), held():
            # "local": without it Ray joins whatever cluster runs on this machine.
            ray.init(
                address="local",
                num_cpus=num_cpus,
                object_store_memory=256 * 1024**2,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )

    started_with_patience(start)


def _join(address: str) -> None:
    import ray

    try:
        keep_token_private()
        with ended_if_stopped([]), held():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"Ray at {address} does not start: {reason}") from None
