"""Reaching a store: quick refusals, no credentials in messages, no traces in the environment."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.client import (
    artifact_location,
    check_reachable,
    default_uri,
    describe,
    mask_uri,
    patient_client,
    report_command,
    store_uri,
)
from sport_ray.tracking.mlflow.runs import open_experiment
from sport_ray.tracking.mlflow.uris import absolute_uri


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_default_store_is_absolute_and_beside_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert default_uri("results") == f"sqlite:///{tmp_path}/results/mlflow.db"
    assert artifact_location("results", default_uri("results")) == "mlflow-artifacts:/"
    folder = artifact_location("results", f"sqlite:///{tmp_path}/of-many.db")
    assert folder == f"file://{tmp_path}/results/mlartifacts"
    assert artifact_location("results", "http://127.0.0.1:5000") is None


@pytest.mark.parametrize(
    ("uri", "masked"),
    [
        ("http://u:secret@host:5000/a", "http://***@host:5000/a"),
        ("http://u:se@cret@host:5000", "http://***@host:5000"),
        ("postgresql://h/db?user=u&password=secret", "postgresql://h/db?***"),
        ("sqlite:////abs/m.db", "sqlite:////abs/m.db"),
    ],
)
def test_credentials_are_masked(uri: str, masked: str) -> None:
    assert mask_uri(uri) == masked
    error = describe(RuntimeError(f"cannot reach\n{uri} as u:secret"), uri)
    assert "secret@" not in error
    assert "\n" not in error


def test_a_server_that_is_gone_is_one_clear_line_within_seconds(
    closed_port: int, tmp_path: Path
) -> None:
    started = time.monotonic()
    with pytest.raises(UserError) as caught:
        check_reachable(f"http://me:hush@127.0.0.1:{closed_port}", tmp_path)
    assert time.monotonic() - started < 120  # MLflow alone would ask for four minutes
    message = str(caught.value)
    assert message.startswith(
        f"tracking server URI does not answer: http://***@127.0.0.1:{closed_port}"
    )
    assert f"results stay in {tmp_path}" in message
    assert "sport-ray report" in message
    assert "--track" in message
    assert "hush" not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("uri", ["foo://bar", "mlruns", "sqlite:////proc/nowhere/m.db"])
def test_what_is_no_store_is_a_user_error(uri: str) -> None:
    with pytest.raises(UserError, match="tracking"):
        check_reachable(uri)


def test_settings_last_for_the_call_only_and_the_users_win(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    with patient_client(default_uri(tmp_path)):
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_a_new_store_is_created_in_silence(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    check_reachable(default_uri(folder), folder)
    assert (folder / "mlflow.db").exists()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


NAMES = ["study?v=2", "a%20b", "x#y", "a&b=c", "ü ß", "-dash", "a:b", "quo'te", "uri=true"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_holds_its_own_store(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    uri = default_uri(folder)
    check_reachable(uri, folder)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / "mlflow.db").is_file()
    with patient_client(uri) as client:
        experiment, uploads = open_experiment(client, folder, uri, "e")
        run = client.create_run(experiment)
        (tmp_path / "a.txt").write_text("a")
        uploads.file(run.info.run_id, tmp_path / "a.txt")
    assert [path.name for path in (folder / "mlartifacts").rglob("*.txt")] == ["a.txt"]


def test_where_the_study_is_silent_mlflows_own_variable_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert store_uri(None, "results") == default_uri("results")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///here.db")
    assert store_uri(None, "results") == f"sqlite:///{tmp_path}/here.db"
    assert store_uri("http://of-the-study:5000", "results") == "http://of-the-study:5000"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " ")
    assert store_uri(None, "results") == default_uri("results")


@pytest.mark.parametrize("uri", ["file:mlruns", "file:///abs/mlruns", "/abs/mlruns", "./mlruns"])
def test_a_folder_is_no_store_and_the_line_says_what_is(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"names a folder.* use a database, e\.g\. sqlite:///"):
        check_reachable(absolute_uri(uri, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_command_that_logs_later_is_one_that_a_shell_reads() -> None:
    assert report_command("-my results") == "sport-ray report './-my results' --track"
