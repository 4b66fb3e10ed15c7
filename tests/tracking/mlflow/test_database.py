"""The store's file: whole, or not there."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from sport_ray.tracking.mlflow import database
from sport_ray.tracking.mlflow.client import check_reachable, default_uri, patient_client

MAKE = """
import sys
from sport_ray.tracking.mlflow.client import check_reachable
check_reachable(sys.argv[1])
"""


def test_a_process_killed_while_it_makes_the_store_leaves_none(tmp_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", MAKE, default_uri(tmp_path)])
    while not list(tmp_path.iterdir()):
        assert maker.poll() is None, "made too fast: nothing was interrupted"
        time.sleep(0.001)
    maker.kill()
    maker.wait()
    assert not (tmp_path / "mlflow.db").exists()
    check_reachable(default_uri(tmp_path), tmp_path)


def test_what_another_process_made_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, initialize = default_uri(tmp_path), database._initialize

    def slowly(draft: str) -> None:
        initialize(draft)
        monkeypatch.setattr(database, "_initialize", initialize)
        check_reachable(uri, tmp_path)
        with patient_client(uri) as client:
            client.create_experiment("another's")

    monkeypatch.setattr(database, "_initialize", slowly)
    database.make_database(uri)
    with patient_client(uri) as client:
        assert client.get_experiment_by_name("another's") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5000", "sqlite://", "sqlite:///:memory:", "sqlite:////no/folder/m.db"]
)
def test_other_stores_are_not_touched(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_initialize", pytest.fail)
    database.make_database(uri)
