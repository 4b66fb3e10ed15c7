"""Canonical JSON, digests and atomic writes."""

from __future__ import annotations

import hashlib
import json
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sport_ray.canonical import canonical_json, digest, write_atomic, write_json

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_loses_nothing(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(value):
    backwards = dict(reversed(value.items()))
    assert list(backwards) != list(value)
    assert digest(backwards) == digest(value)


@pytest.mark.parametrize(
    ("one", "other"), [({"a": 1}, {"a": 2}), ({"a": 1}, {"b": 1}), ([1, 2], [2, 1]), (1, True)]
)
def test_the_digest_tells_values_apart(one, other):
    assert digest(one) != digest(other)


def test_the_digest_is_sha256_of_the_bytes():
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_json_number_is_refused(value, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": [value]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", value)
    assert not list(tmp_path.iterdir())


def test_numpy_scalars_are_refused_rather_than_guessed():
    with pytest.raises(TypeError, match="int64"):
        digest({"n": np.int64(3)})


def test_write_json_is_readable_and_exact(tmp_path):
    path = tmp_path / "deep" / "er" / "x.json"
    value = {"b": [1e-7, 0.1, 1 / 3, 5e-324, -0.0], "a": "ε ≤ 1"}
    write_json(path, value)
    assert json.loads(path.read_text()) == value
    assert path.read_text().startswith('{\n "a"')


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")  # type: ignore[arg-type]
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    """Readers and writers of one file at once: what is read is always one writer's whole text."""
    path = tmp_path / "x.json"
    contents = [bytes([65 + i]) * 50_000 for i in range(4)]
    write_atomic(path, contents[0])
    errors: list[Exception] = []

    def write(data: bytes) -> None:
        try:
            for _ in range(20):
                write_atomic(path, data)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in contents
    assert not errors
    assert list(tmp_path.iterdir()) == [path]
