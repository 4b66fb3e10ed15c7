"""The reader of safetensors, against the library."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from sport_ray.deploy.tensors import read_tensors
from sport_ray.errors import UserError

SHAPES = st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=4)


@given(SHAPES, st.integers(0, 2**32 - 1))
def test_reads_what_the_library_writes(shapes: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    tensors = {f"t{i}": rng.normal(size=s).astype(np.float32) for i, s in enumerate(shapes)}
    found = read_tensors(save(tensors, {"made": "here"}))
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


def parts() -> tuple[dict, bytes]:
    data = save({"a": np.ones(2, np.float32), "b": np.zeros((2, 3), np.float32)})
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def whole(header: dict | bytes, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_what_is_taken_apart_and_put_together_is_read() -> None:
    assert set(read_tensors(whole(*parts()))) == {"a", "b"}


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "F64"},
        {"dtype": "F16"},
        {"shape": [3]},
        {"shape": [-1, -2]},
        {"shape": [2.0]},
        {"shape": [True, 2]},
        {"data_offsets": [4, 12]},
        {"data_offsets": [0, 12]},
        {"data_offsets": [0, 400]},
        {"data_offsets": [-8, 0]},
        {"data_offsets": [0]},
        {"more": 1},
    ],
)
def test_a_tensor_that_is_not_as_described_is_refused(change: dict) -> None:
    header, body = parts()
    header["a"] = {**header["a"], **change}
    with pytest.raises(UserError, match="safetensors"):
        read_tensors(whole(header, body))


def test_damaged_files_are_refused() -> None:
    header, body = parts()
    good = whole(header, body)
    text = json.dumps(header).encode()
    twice = text[:-1] + b"," + text[1:]
    nan = np.array([np.nan] * 8, np.float32).tobytes()
    for data in (
        b"", good[:7], good[:-1], good + b"\0", whole(b"[1]", body), whole(b"{", body),
        whole(twice, body), whole(header, nan), b"\xff" * 8 + good[8:],
        whole({name: header[name] for name in "a"}, body),
    ):  # fmt: skip
        with pytest.raises(UserError, match="safetensors"):
            read_tensors(data)
