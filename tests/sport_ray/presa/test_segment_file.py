"""Segments on disk: there and back, and what is wrong with a file in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sport_ray.errors import UserError
from sport_ray.presa import Segments, load_segments, save_segments, segments_digest
from sport_ray.presa.segment_file import ARRAYS


def arrays(segments: Segments) -> dict[str, np.ndarray]:
    return {name: getattr(segments, name) for name in ARRAYS}


def test_there_and_back(tmp_path: Path, contextual):
    path = tmp_path / "data" / "segments.npz"
    save_segments(path, contextual)
    back = load_segments(path)
    for name, values in arrays(contextual).items():
        assert getattr(back, name).dtype == values.dtype
        np.testing.assert_array_equal(getattr(back, name), values)
    assert segments_digest(back) == segments_digest(contextual)


def test_the_digest_is_of_the_numbers(tmp_path: Path, contextual):
    """Not of how they are stored; and any other number is another digest."""
    path = tmp_path / "plain.npz"
    given = arrays(contextual)
    np.savez(path, **{**given, "unsafe": given["unsafe"].astype(np.int64)})
    assert segments_digest(load_segments(path)) == segments_digest(contextual)
    other = given["actions"].copy()
    other[0, 0, 0] = np.nextafter(other[0, 0, 0], np.float32(9.0))
    np.savez(path, **{**given, "actions": other})
    assert segments_digest(load_segments(path)) != segments_digest(contextual)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unsafe": None}, "the array 'unsafe' is missing"),
        ({"pairs": None}, "the array 'pairs' is missing"),
        ({"labels": np.zeros(3)}, "unknown array 'labels'"),
        ({"pairs": np.array([[0, 10**6]])}, "pair 0 names segment 1000000"),
        ({"actions": np.array([[1], [1, 2]], dtype=object)}, "cannot be read without pickle"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path: Path, contextual, change, message):
    path = tmp_path / "bad.npz"
    given = {**arrays(contextual), **change}
    np.savez(path, **{name: value for name, value in given.items() if value is not None})
    with pytest.raises(UserError, match=message) as caught:
        load_segments(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_file_and_no_npz(tmp_path: Path):
    with pytest.raises(UserError, match="does not exist"):
        load_segments(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("observations")
    with pytest.raises(UserError, match="without pickle"):
        load_segments(tmp_path / "text.npz")
