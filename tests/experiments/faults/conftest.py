"""A sweep that nothing happened to, and a folder that is ready for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.faults.harness import certified_copy, sweep_undisturbed, write_study


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that nothing happened to; its study lies beside it."""
    return sweep_undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def certified(undisturbed: Path, tmp_path: Path) -> Path:
    """A folder with the same certificate and no cell yet."""
    write_study(tmp_path / "study.yaml")
    return certified_copy(undisturbed, tmp_path)
