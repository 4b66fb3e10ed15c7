"""Result folders whose MLflow store has its tables already: to make them takes a second."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from sport_ray.tracking.mlflow.client import default_uri


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store without runs."""
    folder = tmp_path_factory.mktemp("store")
    MlflowClient(default_uri(folder)).search_experiments()
    return folder


@pytest.fixture
def make_results(make_results: Callable[..., Path], empty_store: Path) -> Callable[..., Path]:
    def make(*arguments: Any, **options: Any) -> Path:
        folder = make_results(*arguments, **options)
        for path in empty_store.iterdir():
            shutil.copy(path, folder)
        return folder

    return make
