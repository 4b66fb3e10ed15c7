"""Reaching an MLflow store: where it is, whether it answers, and without its noise.

MLflow is imported inside functions: it takes seconds, and most of this package does not need it.
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sport_ray.errors import UserError
from sport_ray.text import plain
from sport_ray.tracking.mlflow.uris import absolute_uri, hidden, is_folder, mask_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SETTINGS = {
    # MLflow's own defaults block for four minutes when a server is gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    # Two lines per run otherwise, with the address and what secrets it may hold.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_TRUE = ("true", "1")
_MEANT = "%?#&=+;@'\"\\\n\t"
_NOISY = {
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,  # prints a traceback of each error it then raises
    "alembic.runtime.migration": logging.WARNING,
}


TRACKING_URI = "MLFLOW_TRACKING_URI"


def store_uri(uri: str | None, results_dir: str | Path) -> str:
    """Where results are logged: `uri`, that of the study; else MLflow's own variable; else beside.

    A relative path in ``MLFLOW_TRACKING_URI`` starts from the working directory, as in MLflow.
    """
    if uri is not None:
        return uri
    asked = os.environ.get(TRACKING_URI, "").strip()
    return absolute_uri(asked, Path()) if asked else default_uri(results_dir)


def default_uri(results_dir: str | Path) -> str:
    """The store beside the results: SQLite at an absolute path, whatever the folder's name.

    In a URI '?' begins a query and '%' a code. Where the name holds what has a meaning there it is
    written as SQLAlchemy reads it, and the driver named: at a bare ``sqlite:///`` MLflow would make
    folders of the codes.

    Raises:
        UserError: a name that the installed SQLAlchemy cannot be told.
    """
    path = str(Path(results_dir).resolve() / "mlflow.db")
    if not set(path) & set(_MEANT):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import URL, make_url

    uri = URL.create("sqlite+pysqlite", database=path).render_as_string()
    if make_url(uri).database != path:
        raise UserError(
            f"no database URI can name {path}: rename the folder, or set tracking.uri or "
            f"{TRACKING_URI}"
        )
    return uri


def artifact_folder(results_dir: str | Path, uri: str) -> str | None:
    """Where artefacts go, as an absolute file URI; None where a server decides.

    A store without a server would otherwise put them into the current directory.
    """
    if _scheme(uri) in ("http", "https", "databricks", "uc"):
        return None
    return (Path(results_dir).resolve() / "mlartifacts").as_uri()


@contextmanager
def patient_client(uri: str) -> Iterator[MlflowClient]:
    """A client of `uri` that gives up within seconds, says nothing of its own and has no globals.

    Retries, timeout and silence are set for the duration, and only where the user has not.
    """
    # Usage statistics would be sent to the network; a user who wants that can set it to false.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    unset = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    os.environ.update(unset)
    try:
        with _quiet():
            from mlflow import MlflowClient

            yield MlflowClient(tracking_uri=uri, registry_uri=uri)
    finally:
        for name in unset:
            os.environ.pop(name, None)


@contextmanager
def asking_once() -> Iterator[None]:
    """Ask without retries, for questions that make something.

    MLflow repeats a POST whose answer was lost, and a run that is created twice is two runs.
    """
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Only warnings from MLflow and Alembic, which list every migration of a new database."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    for logger, level in zip(loggers, _NOISY.values(), strict=True):
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def check_reachable(uri: str, results_dir: str | Path = "RESULTS") -> None:
    """Ask the store one question; UserError in one line if no answer comes within seconds.

    Creates the database of an SQLite store that does not exist yet. `results_dir` is named in the
    message as the place where the results stay.
    """
    if is_folder(uri) and os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in _TRUE:
        raise UserError(
            f"tracking URI {mask_uri(uri)!r} names a folder, which MLflow no longer writes to: use "
            "a database, e.g. sqlite:///mlflow.db (`mlflow migrate-filestore` moves what is there)"
        )
    if not _scheme(uri):
        raise UserError(
            f"tracking URI {mask_uri(uri)!r} has no scheme: "
            "use e.g. sqlite:////abs/mlflow.db or http://host:5000"
        )
    try:
        with patient_client(uri) as client:
            client.search_experiments(max_results=1)
    except Exception as error:  # MLflow, SQLAlchemy, requests: all of them mean no answer
        raise unreachable(uri, results_dir, error) from None


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme or ("databricks" if uri in ("databricks", "uc") else "")
    except ValueError:  # such as a host with half a bracket: MLflow says what is wrong
        return uri.partition(":")[0]


def report_command(results_dir: str | Path) -> str:
    """The command that logs a result folder, as a shell reads it, whatever the folder's name."""
    folder = str(results_dir)
    folder = f"./{folder}" if folder.startswith("-") else folder
    return shlex.join(["sport-ray", "report", folder, "--track"])


class StoreUnreachable(UserError):
    """A store that does not answer; it may be back in a moment."""


def unreachable(uri: str, results_dir: str | Path, error: BaseException) -> StoreUnreachable:
    """The one-line error of a store that does not answer, credentials masked."""
    return StoreUnreachable(
        f"tracking server URI does not answer: {mask_uri(uri)} ({describe(error, uri)}); "
        f"results stay in {results_dir}; log later with `{report_command(results_dir)}`"
    )


def is_refusal(error: BaseException) -> bool:
    """Whether a store that is there refuses this one question, as opposed to being away.

    MLflow's errors have the HTTP status that they would have; none is 500, as where it is away.
    """
    status = getattr(error, "get_http_status_code", None)
    return status is not None and 400 <= status() < 500


def describe(error: BaseException, uri: str) -> str:
    """The kind of an error and the start of its text, in one line, without credentials of `uri`.

    Of our own errors all of it: their cause stands behind an address of any length.
    """
    text = " ".join(plain(hidden(str(error), uri)).split())
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text[:160]}"
