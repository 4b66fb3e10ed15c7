"""Learning curves there and back, and files that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.tracking import load_curves, load_results
from sport_ray.tracking.results.curves import MOST, QUANTITIES, Curves, read_curves
from sport_ray.tracking.results.folder import ResultFolder
from tests.tracking.conftest import write_study
from tests.tracking.learning_files import write_curves


def curves(points: int) -> Curves:
    count = np.arange(1.0, points + 1.0)
    noise = np.random.default_rng(0).normal(size=points)
    return Curves(
        {
            "iteration": count,
            "env_steps": 2048.0 * count,
            "violations": np.cumsum(count % 3 == 0).astype(float),
            "mean_return": noise,
            "entropy": np.where(count > 2, noise * 1e-7, np.nan),
        }
    )


def test_there_and_back_in_a_few_kilobytes(tmp_path):
    files, written = ResultFolder(tmp_path), curves(MOST)
    assert read_curves(files, "one") is None
    file = files.training("one")
    file.parent.mkdir(parents=True)
    text = json.dumps(written.to_json(), separators=(",", ":"))
    assert len(text) * len(QUANTITIES) / len([*written]) < 10_000
    file.write_text(text)
    read = read_curves(files, "one")
    assert read is not None
    assert [*read] == [*written]
    assert len(read) == MOST
    for name in read:
        np.testing.assert_allclose(read[name], written[name], rtol=5.1e-5)
    assert np.isnan(read["entropy"][:2]).all()
    for name in ("iteration", "env_steps", "violations"):
        np.testing.assert_array_equal(read[name], written[name])
    assert read.begun is None


def test_what_was_not_measured_is_nan_and_not_in_the_file():
    found = curves(5)
    assert np.isnan(found["kl_to_base"]).all()
    assert len(found["kl_to_base"]) == 5
    assert "kl_to_base" not in found.to_json()
    with pytest.raises(KeyError):
        found["kl"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"violations": [0, 0, 0.5]}, "has violations = 0.5, expected a count"),
        ({"violations": [0, 3, 2]}, "has violations that falls"),
        ({"entropy": [0.0, "x", 1.0]}, "has entropy = x, expected a number"),
        ({"entropy": [0.0, 1.0]}, "or of different lengths"),
        ({"iteration": []}, "or of different lengths"),
        ({"entropy": 3}, "has no list of at most 128 numbers for 'entropy'"),
        ({"entropy": [0.0] * 129}, "has no list of at most 128 numbers for 'entropy'"),
        ({"env_steps": [1, True, 3]}, "has env_steps = True, expected a count"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, change, problem):
    files = ResultFolder(tmp_path)
    file = files.training("one")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(curves(3).to_json() | change))
    with pytest.raises(UserError, match=r"damaged file cells/one/training\.json: ") as error:
        read_curves(files, "one")
    assert problem in str(error.value)


def test_rollouts_after_training_are_one_more_point():
    before = curves(5)
    after = before.followed_by(900, 40, 3)
    assert [*after] == [*before]
    assert len(after) == 6
    assert after["iteration"].tolist() == [1, 2, 3, 4, 5, 5]
    assert after["env_steps"][-1] == before["env_steps"][-1] + 900
    assert after["violations"][-1] == before["violations"][-1] + 3
    assert np.isnan(after["entropy"][-1])
    assert np.isnan(after["episodes_begun"]).all()
    assert Curves.from_json(after.to_json())["violations"].tolist() == after["violations"].tolist()


def test_the_curves_of_a_study_are_one_table(tmp_path):
    folder = write_study(tmp_path)
    assert load_curves(folder).empty
    count = write_curves(folder, points=3)
    frame = load_curves(folder)
    assert [*frame.columns] == ["cell_id", *QUANTITIES]
    assert len(frame) == 3 * count
    merged = frame.merge(load_results(folder), on="cell_id")
    assert len(merged) == len(frame)
    assert merged.loc[~merged["projected"].astype(bool), "kl_to_base"].isna().all()
