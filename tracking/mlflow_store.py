"""Reaching an MLflow store: where it is, whether it answers, and without its noise.

MLflow is imported inside functions: it takes seconds, and most of this package does not need it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sport_ray.errors import UserError
from tracking.uris import mask_uri, secrets_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_SETTINGS = {
    # MLflow's own defaults block for four minutes when a server is gone.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    # Two lines per run otherwise, with the address and what secrets it may hold.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_NOISY = {
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
    "mlflow.store.db.utils": logging.CRITICAL,  # prints a traceback of each error it then raises
    "alembic.runtime.migration": logging.WARNING,
}


def default_uri(results_dir: str | Path) -> str:
    """The store beside the results: SQLite at an absolute path."""
    return f"sqlite:///{Path(results_dir).resolve() / 'mlflow.db'}"


def artifact_folder(results_dir: str | Path, uri: str) -> str | None:
    """Where artefacts go, as an absolute file URI; None where a server decides.

    A store without a server would otherwise put them into the current directory.
    """
    if urlsplit(uri).scheme in ("http", "https"):
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
    if not urlsplit(uri).scheme:
        raise UserError(
            f"tracking URI {mask_uri(uri)!r} has no scheme: "
            "use e.g. sqlite:////abs/mlflow.db or http://host:5000"
        )
    try:
        with patient_client(uri) as client:
            client.search_experiments(max_results=1)
    except Exception as error:  # MLflow, SQLAlchemy, requests: all of them mean no answer
        raise unreachable(uri, results_dir, error) from None


class StoreUnreachable(UserError):
    """A store that does not answer; it may be back in a moment."""


def unreachable(uri: str, results_dir: str | Path, error: BaseException) -> StoreUnreachable:
    """The one-line error of a store that does not answer, credentials masked."""
    return StoreUnreachable(
        f"tracking server URI does not answer: {mask_uri(uri)} ({describe(error, uri)}); "
        f"results stay in {results_dir}; log later with "
        f"`sport-ray report {results_dir} --track`"
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
    text = " ".join(str(error).replace(uri, mask_uri(uri)).split())
    for secret in secrets_of(uri):
        text = text.replace(secret, "***")
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text[:160]}"
