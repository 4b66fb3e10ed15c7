"""A study small enough to run in seconds, and its certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

SMALL: dict[str, Any] = {
    "name": "small",
    "certificate": {"num_scenarios": 300, "beta": 1e-3, "max_horizon": 30},
    "sweep": {"alphas": [1.0, 1.5], "horizons": [25], "seeds": [0]},
    "training": {
        "env_steps": 512,
        "warmup_env_steps": 256,
        "lr": 1e-3,
        "train_batch_size": 256,
        "minibatch_size": 64,
        "num_envs": 8,
    },
    "evaluation": {"num_scenarios": 100, "beta": 1e-3},
}


@pytest.fixture
def small_study() -> dict[str, Any]:
    """The study as a mapping that a test may change."""
    return yaml.safe_load(yaml.safe_dump(SMALL))


@pytest.fixture
def write_study(tmp_path: Path):
    """Write a study mapping to a file; its path."""

    def write(study: dict[str, Any], name: str = "study.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(study))
        return path

    return write
