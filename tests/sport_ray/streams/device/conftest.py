"""The streams' kernels on a GPU where there is one, else in Triton's interpreter on the CPU."""

from __future__ import annotations

import os

import pytest
import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":  # before Triton's first import
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture
def place() -> torch.device:
    """Where the kernels run."""
    return torch.device(DEVICE)
