"""A score for the walk of the rollouts' tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from sport_ray.selection import SCORES, Score
from tests.sport_ray.rollouts.conftest import registered, walk_base, walk_plan

__all__ = ["registered", "walk_base", "walk_plan"]


@pytest.fixture(scope="session")
def forward() -> Iterator[type[Score]]:
    """A score that likes large actions."""

    class Forward(Score):
        """Weight e^{slope · a}."""

        name: ClassVar[str] = "forward"

        def __init__(self, slope: float) -> None:
            self.slope = slope

        def log_weights(self, observation, candidates, limits, taken):
            return self.slope * candidates[..., 0]

        def to_json(self) -> dict[str, Any]:
            return {"unit": "1/m"}

        def arrays(self) -> dict[str, np.ndarray]:
            return {"slope": np.array([self.slope])}

        @classmethod
        def from_parts(cls, fields: Mapping[str, Any], arrays: Mapping[str, np.ndarray]):
            assert fields == {"unit": "1/m"}
            return cls(float(arrays["slope"][0]))

    yield Forward
    del SCORES["forward"]
