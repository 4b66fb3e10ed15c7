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
from sport_ray.tracking.mlflow.database import make_database
from sport_ray.tracking.mlflow.uris import absolute_uri, hidden, is_folder, mask_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRACKING_URI = "MLFLOW_TRACKING_URI"
DATABASE = "mlflow.db"
"""The store beside the results."""
ARTIFACTS = "mlartifacts"
"""Its artefacts: the names are those that `mlflow ui` looks for where it is started."""
PORTABLE = "mlflow-artifacts:/"
_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_SETTINGS = {
    # MLflow's own defaults block for four minutes when a server is gone.
    _RETRIES: "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    # Two lines per run otherwise, with the address and what secrets it may hold.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_MEANT = "%?#&=+;@'\"\\\n\t"
_NOISY = {
    "alembic": logging.WARNING,  # lists every migration of a new database
    "alembic.runtime.migration": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,  # prints a traceback of each error it then raises
}


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
    path = str(Path(results_dir).resolve() / DATABASE)
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


def artifact_location(results_dir: str | Path, uri: str) -> str | None:
    """Where an experiment's artefacts go, as a URI; None where a server decides.

    Beside the folder's own store no place at all: what serves the folder finds them in it, wherever
    it lies then. Of another database the absolute folder, for it may have many studies'.
    """
    if _scheme(uri) in ("http", "https", "databricks", "uc"):
        return None
    if uri == default_uri(results_dir):
        return PORTABLE
    return artifact_folder(results_dir).as_uri()


def artifact_folder(results_dir: str | Path) -> Path:
    """The artefacts of a result folder, where no server keeps them."""
    return Path(results_dir).resolve() / ARTIFACTS


@contextmanager
def patient_client(uri: str) -> Iterator[MlflowClient]:
    """A client of `uri` that gives up within seconds, says nothing of its own and has no globals.

    Retries, timeout and silence are set for the duration, and only where the user has not.
    """
    # Usage statistics would be sent to the network; a user who wants that can set it to false.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    unset = {name: value for name, value in _SETTINGS.items() if name not in os.environ}
    with _environment(unset), _quiet():
        from mlflow import MlflowClient

        make_database(uri)  # before a client does so, which may be killed in the middle
        yield MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def asking_once() -> Iterator[None]:
    """Ask without retries, for questions that make something.

    MLflow repeats a POST whose answer was lost, and a run that is created twice is two runs.
    """
    with _environment({_RETRIES: "0"}):
        yield


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in _NOISY}
    try:
        for name, level in _NOISY.items():
            logging.getLogger(name).setLevel(level)
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def check_reachable(uri: str, results_dir: str | Path = "RESULTS") -> None:
    """Ask the store one question; UserError in one line if no answer comes within seconds.

    Creates the database of an SQLite store that does not exist yet. `results_dir` is named in the
    message as the place where the results stay.
    """
    allowed = os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() in ("true", "1")
    if is_folder(uri) and not allowed:
        raise UserError(
            f"tracking URI {mask_uri(uri)!r} names a folder, which MLflow no longer writes to: use "
            "a database, e.g. sqlite:///mlflow.db (`mlflow migrate-filestore` moves what is there)"
        )
    if not _scheme(uri):
        raise UserError(
            f"tracking URI {mask_uri(uri)!r} has no scheme: "
            "use e.g. sqlite:////abs/mlflow.db or http://host:5000"
        )
    with answering(uri, results_dir) as client:
        client.search_experiments(max_results=1)


def _scheme(uri: str) -> str:
    try:
        return urlsplit(uri).scheme or ("databricks" if uri in ("databricks", "uc") else "")
    except ValueError:  # such as a host with half a bracket: MLflow says what is wrong
        return uri.partition(":")[0]


class StoreUnreachable(UserError):
    """A store that does not answer; it may be back in a moment."""


@contextmanager
def answering(uri: str, results_dir: str | Path) -> Iterator[MlflowClient]:
    """A `patient_client` whose every error is one line, credentials masked.

    Raises:
        StoreUnreachable: whatever MLflow, SQLAlchemy or requests raise: no answer, all of it.
        UserError: one that is raised in the block.
    """
    try:
        with patient_client(uri) as client:
            yield client
    except UserError:
        raise
    except Exception as error:
        raise StoreUnreachable(
            f"tracking server URI does not answer: {mask_uri(uri)} ({describe(error, uri)}); "
            f"results stay in {results_dir}; log later with `{report_command(results_dir)}`"
        ) from None


def report_command(results_dir: str | Path) -> str:
    """The command that logs a result folder, as a shell reads it, whatever the folder's name."""
    folder = str(results_dir)
    folder = f"./{folder}" if folder.startswith("-") else folder
    return shlex.join(["sport-ray", "report", folder, "--track"])


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
