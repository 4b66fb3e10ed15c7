"""What reset accepts, and the one line for what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from sport_ray.envs.reset_options import parse_reset_options
from sport_ray.errors import UserError


def test_values_become_float64():
    parsed = parse_reset_options({"pose": [0, 1, 2], "goal": np.float32([3, 4])})
    assert {key: (v.dtype.name, v.tolist()) for key, v in parsed.items()} == {
        "pose": ("float64", [0.0, 1.0, 2.0]),
        "goal": ("float64", [3.0, 4.0]),
    }
    assert parse_reset_options(None) == parse_reset_options({}) == {}


def test_vector_values_are_shared_or_one_row_each():
    rows = [[0.0, 1.0], [2.0, 3.0]]
    parsed = parse_reset_options({"goal": (5.0, 6.0), "hazard": rows}, num_envs=2)
    assert parsed["goal"].tolist() == [[5.0, 6.0], [5.0, 6.0]]
    assert parsed["hazard"].tolist() == rows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gaol": (0, 0)}, "reset option 'gaol' is unknown: did you mean 'goal'?"),
        ({"seed": 1}, "reset option 'seed' is unknown: expected 'pose', 'goal' or 'hazard'"),
        (
            {"pose": (0.0, 1.0)},
            "reset option 'pose' is (0.0, 1.0): expected (x, y, heading), 3 finite numbers",
        ),
        (
            {"goal": (0.0, float("nan"))},
            "reset option 'goal' is (0.0, nan): expected (x, y), 2 finite numbers",
        ),
        ({"hazard": "here"}, "reset option 'hazard' is 'here': expected (x, y), 2 finite numbers"),
        ({"hazard": None}, "reset option 'hazard' is None: expected (x, y), 2 finite numbers"),
        (
            {"goal": [[0, 0], [1, 1]]},
            "reset option 'goal' is [[0, 0], [1, 1]]: expected (x, y), 2 finite numbers",
        ),
        ([1], "reset options are [1]: expected a dict with 'pose', 'goal' or 'hazard'"),
    ],
)
def test_bad_options_get_one_line_naming_key_and_value(options, message):
    with pytest.raises(UserError) as caught:
        parse_reset_options(options)
    assert str(caught.value) == message


def test_wrong_number_of_rows_is_refused_in_one_short_line():
    with pytest.raises(UserError, match="or one row per environment") as caught:
        parse_reset_options({"pose": np.zeros((40, 3))}, num_envs=3)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 220
