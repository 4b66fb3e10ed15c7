"""However long training is, few points are kept, and nothing is lost of what they stand for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sport_ray.experiments.task_policies._curves import CurveRecorder
from sport_ray.tracking.results.curves import MOST


def recorded(iterations: int):
    """Curves of so many iterations, and what was recorded in each."""
    random = np.random.default_rng(iterations)
    rows, recorder = [], CurveRecorder()
    for number in range(iterations):
        row = {
            "env_steps": 100 * (number + 1),
            "violations": number // 3,
            "entropy": random.normal(),
            "max_log_ratio": random.exponential(),
            "mean_return": random.normal() if random.random() < 0.5 else None,
        }
        rows.append(row)
        recorder.add(row)
    return recorder.curves(), rows


def test_nothing_before_the_first_iteration():
    assert CurveRecorder().curves() is None


@pytest.mark.parametrize("iterations", [1, MOST - 1, MOST, MOST + 1, 2 * MOST, 2 * MOST + 1, 1000])
def test_points_are_the_means_maxima_and_counts_of_their_iterations(iterations):
    found, rows = recorded(iterations)
    assert found is not None
    assert len(found) <= MOST
    assert len(found) == iterations or len(found) > MOST // 2
    ends = found["iteration"].astype(int)
    assert ends[-1] == iterations
    shares = np.diff(ends, prepend=0)
    assert len({*shares[:-1].tolist()}) <= 1  # equally many
    for start, end, point in zip(ends - shares, ends, range(len(found)), strict=True):
        own = rows[start:end]
        assert found["env_steps"][point] == own[-1]["env_steps"]
        assert found["violations"][point] == own[-1]["violations"]
        assert found["entropy"][point] == pytest.approx(np.mean([one["entropy"] for one in own]))
        assert found["max_log_ratio"][point] == max(one["max_log_ratio"] for one in own)
        known = [one["mean_return"] for one in own if one["mean_return"] is not None]
        want = np.mean(known) if known else math.nan
        assert found["mean_return"][point] == pytest.approx(want, nan_ok=True)


def test_what_is_never_known_is_no_column_and_infinity_is_not_known():
    recorder = CurveRecorder()
    for value in (1.0, math.inf, math.nan, None):
        recorder.add({"env_steps": 1, "kl_to_base": value, "entropy": math.inf})
    found = recorder.curves()
    assert found is not None
    assert [*found] == ["iteration", "env_steps", "kl_to_base"]
    np.testing.assert_array_equal(found["kl_to_base"], [1.0, math.nan, math.nan, math.nan])


def test_an_algorithm_s_names_are_ours():
    recorder = CurveRecorder()
    recorder.add_result({"num_env_steps_sampled_lifetime": 7, "qf_loss": 0.5, "other": 1.0}, 3)
    recorder.add_result({"episode_return_mean": None, "vf_loss": 0.25}, 4)
    found = recorder.curves()
    assert found is not None
    assert found["episodes_begun"].tolist() == [3, 4]
    assert found["value_loss"].tolist() == [0.5, 0.25]
    assert np.isnan(found["mean_return"]).all()
