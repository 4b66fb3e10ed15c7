"""What of a benchmark's folder counts as finished."""

from __future__ import annotations

import pytest

from sport_ray.experiments.benchmark.finished import as_asked
from sport_ray.experiments.config.study import parse_study
from sport_ray.experiments.sweep.plan import Plan
from tests.experiments.known_certificate import certificate

SEEDS = [{"seed": seed, "num_scenarios": 60} for seed in (0, 1)]
ROWS = [{"horizon": 25, "eps_max": level, "seeds": SEEDS} for level in (0.1, 0.1, 0.2)]


@pytest.mark.parametrize(
    ("rows", "finished"),
    [
        (ROWS, True),
        (ROWS[:2], False),  # a level that was added
        ([*ROWS, ROWS[0] | {"eps_max": 0.3}], False),
        ([*ROWS, ROWS[0] | {"horizon": 20}], False),
        ([*ROWS[:2], ROWS[2] | {"seeds": SEEDS[:1]}], False),
        ([*ROWS[:2], ROWS[2] | {"seeds": [SEEDS[0], SEEDS[1] | {"num_scenarios": 50}]}], False),
        ([], False),
    ],
)
def test_mixtures_of_another_study_are_not_finished(small_study, rows, finished):
    """A level below what the base is certified for, 1e-6, has none."""
    small_study["sweep"] = {"eps_max": [1e-6, 0.1, 0.2], "out_of_reach": "skip", "horizons": [25],
                            "seeds": [0, 1]}  # fmt: skip
    small_study["task_policies"] = {"base": {}}
    small_study["mixtures"] = {"num_scenarios": 60}
    assert as_asked(Plan.of(parse_study(small_study, "study"), certificate()), rows) is finished
