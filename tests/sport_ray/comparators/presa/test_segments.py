"""Segments: what is good comes through unchanged, what is bad is one line that names it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sport_ray.comparators.presa import (
    Segments,
    load_segments,
    make_segments,
    save_segments,
    segments_digest,
)
from sport_ray.comparators.presa.segments import ARRAYS
from sport_ray.errors import UserError
from sport_ray.policies import PolicySpec


def good() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "observations": rng.normal(size=(4, 3, 2)),
        "actions": rng.normal(size=(4, 3, 1)),
        "pairs": [[0, 1], [3, 2]],
        "unsafe": [0, 1, 0, 0],
    }


def test_good_data_come_through():
    given = good()
    segments = make_segments(**given)
    np.testing.assert_array_equal(segments.observations, given["observations"].astype(np.float32))
    np.testing.assert_array_equal(segments.actions, given["actions"].astype(np.float32))
    assert segments.pairs.tolist() == [[0, 1], [3, 2]]
    assert segments.unsafe.tolist() == [False, True, False, False]
    assert (segments.num_segments, segments.length, segments.unsafe_share) == (4, 3, 0.25)


def test_lists_of_arrays_and_float_labels_do_too():
    given = good()
    given["observations"] = list(given["observations"])
    given["unsafe"] = [0.0, 1.0, 0.0, 0.0]
    assert make_segments(**given).unsafe.tolist() == [False, True, False, False]


def changed(name: str, index: Any, value: float) -> dict[str, Any]:
    given = good()
    array = np.array(given[name], dtype=np.float64)
    array[index] = value
    return {name: array}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unsafe": None}, "unsafe is missing: expected one label per segment"),
        ({"unsafe": [0, 1, 0]}, r"unsafe is int64 of shape \(3,\)"),
        ({"unsafe": ["a", "b", "a", "a"]}, "unsafe is <U1 of shape"),
        (changed("unsafe", 2, np.nan), "segment 2 has the label nan"),
        ({"unsafe": [0, 1, -1, 0]}, "segment 2 has the label -1"),
        ({"unsafe": [0, 1, 2, 0]}, "segment 2 has the label 2"),
        (changed("observations", (1, 2, 0), np.nan), "observations: segment 1 is not finite at st"),
        (changed("actions", (3, 0, 0), np.inf), "actions: segment 3 is not finite at step 0"),
        (changed("observations", (0, 0, 0), 1e39), "observations: segment 0 is not finite"),
        ({"observations": np.zeros((0, 3, 2))}, "observations is empty"),
        ({"observations": []}, "observations is empty"),
        ({"observations": np.zeros((4, 6))}, r"observations has shape \(4, 6\)"),
        ({"actions": np.zeros((4, 2, 1))}, "4 segments of 3 steps, actions of 4 of 2"),
        ({"actions": np.zeros((5, 3, 1))}, "4 segments of 3 steps, actions of 5 of 3"),
        ({"actions": np.array([["x"]])}, "actions has dtype <U1"),
        ({"pairs": []}, "pairs is empty"),
        ({"pairs": [[0, 4]]}, "pair 0 names segment 4, there are 0 … 3"),
        ({"pairs": [[0, 1], [-1, 2]]}, "pair 1 names segment -1"),
        ({"pairs": [[2, 2]]}, "pair 0 compares segment 2 with itself"),
        ({"pairs": [[0.0, 1.0]]}, "pairs is float64"),
        ({"pairs": [0, 1]}, r"of shape \(2,\)"),
    ],
)
def test_bad_data_are_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        make_segments(**{**good(), **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["observations", "actions"])
def test_segments_of_unequal_length_are_refused(name):
    given = good()
    rows = list(given[name])
    rows[2] = rows[2][:2]
    with pytest.raises(UserError, match=f"{name}: segment 2 has 2 steps, segment 0 has 3") as error:
        make_segments(**{**given, name: rows})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("label", "word"), [(0, "safe"), (1, "unsafe")])
def test_one_label_only_is_refused_where_both_are_needed(label, word):
    segments = make_segments(**{**good(), "unsafe": [label] * 4})
    with pytest.raises(UserError, match=f"all 4 segments are labelled {word}: "):
        segments.require_both_labels()


def test_another_size_than_the_policys_is_refused():
    segments = make_segments(**good())
    segments.require_fits(PolicySpec(observation_size=2, action_size=1))
    with pytest.raises(UserError, match="2 observations and 1 actions, the base policy 44 and 2"):
        segments.require_fits(PolicySpec(observation_size=44, action_size=2))


# On disk: there and back, and what is wrong with a file in one line


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
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_npz(tmp_path: Path):
    with pytest.raises(UserError, match="does not exist"):
        load_segments(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("observations")
    with pytest.raises(UserError, match="without pickle"):
        load_segments(tmp_path / "text.npz")
