"""What a file claims is checked before memory is taken: every kind of file that others may give."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from sport_ray.adapters import read_normalization, read_npz, read_sb3
from sport_ray.canonical import digest
from sport_ray.errors import UserError
from sport_ray.policies import PolicyNetwork, PolicySpec, load_policy, save_policy
from sport_ray.untrusted_files import TooLarge, json_object, read_arrays, read_bytes

ROOT = Path(__file__).parents[2]


def bomb(path: Path, name: str, size: int, **more: bytes) -> Path:
    """A zip of a few kilobytes that expands to ``size`` zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, data in more.items():
            archive.writestr(other, data)
        with archive.open(name, "w", force_zip64=True) as member:
            block = bytes(2**20)
            for _ in range(size // 2**20):
                member.write(block)
    assert path.stat().st_size < size / 100
    return path


def header(shape: tuple[int, ...], dtype: str = "<f8", data: bytes = b"") -> bytes:
    """An npy file whose header claims a shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue() + data


@pytest.mark.parametrize(
    "member",
    [
        header((10**12,)),
        header((10**6, 10**6, 10**6)),
        header((0, 10**12)) + b"x",
        header((3,), data=bytes(16)),
        header((1,) * 64, data=bytes(8)),
        header((2,), "|O", bytes(16)),
        b"\x93NUMPY\x09\x00",
        b"nothing",
        b"",
    ],
)
def test_an_array_that_claims_what_is_not_there_is_refused(tmp_path, member):
    with zipfile.ZipFile(tmp_path / "o.npz", "w") as archive:
        archive.writestr("mean.npy", member)
    for read in (read_normalization, read_npz):
        with pytest.raises(UserError, match=r"o\.npz cannot be read") as caught:
            read(tmp_path / "o.npz")
        assert "\n" not in str(caught.value)


def test_arrays_are_read_as_numpy_reads_them(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.float32(1.5)}
    arrays["d"] = np.asfortranarray(arrays["a"])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = read_arrays(tmp_path / "x.npz")
        assert set(found) == set(arrays)
        for name, value in arrays.items():
            np.testing.assert_array_equal(found[name], value)
            assert found[name].dtype == np.asarray(value).dtype


def test_a_zip_that_expands_a_thousandfold_is_refused(tmp_path):
    bombs = {
        "o.npz": (read_normalization, bomb(tmp_path / "o.npz", "mean.npy", 2**28 + 2**20)),
        "data": (read_sb3, bomb(tmp_path / "d.zip", "data", 2**26 + 2**20)),
        "policy": (read_sb3, bomb(tmp_path / "p.zip", "policy.pth", 2**28 + 2**20, data=b"{}")),
    }
    for read, path in bombs.values():
        with pytest.raises(UserError, match=r"larger than|expands to") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_bomb_inside_the_weights_is_refused(tmp_path):
    inner = bomb(tmp_path / "inner.zip", "archive/data/0", 2**28 + 2**20)
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("data", "{}")
        archive.write(inner, "policy.pth")
    with pytest.raises(UserError, match="expands to"):
        read_sb3(tmp_path / "m.zip")


def test_a_tensor_that_is_larger_than_its_storage_is_refused(tmp_path):
    torch.save({"log_std": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("data", "{}")
        archive.write(tmp_path / "w.pth", "policy.pth")
    with pytest.raises(UserError, match="'log_std' claims more numbers than there are"):
        read_sb3(tmp_path / "m.zip")


@pytest.mark.parametrize("damage", ["encrypted", "method", "truncated", "names"])
def test_other_zips_that_cannot_be_read_are_one_line(tmp_path, damage):
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", json.dumps({"a": list(range(1000))}))
        archive.writestr("policy.pth", b"x" * 1000)
    raw = bytearray(path.read_bytes())
    if damage == "encrypted":
        for at in (raw.find(b"PK\x03\x04") + 6, raw.find(b"PK\x01\x02") + 8):
            raw[at] |= 1
    elif damage == "method":
        for at in (raw.find(b"PK\x03\x04") + 8, raw.find(b"PK\x01\x02") + 10):
            raw[at] = 99
    elif damage == "truncated":
        raw[60:90] = bytes(30)
    else:
        raw = raw.replace(b"policy.pth", b"policy.pt\0")
    path.write_bytes(raw)
    with pytest.raises(UserError, match=r"m\.zip") as caught:
        read_sb3(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        {"hidden": [10**9]}, {"hidden": [1] * 10**6}, {"hidden": [10**5, 10**5]},
        {"observation_size": 10**9}, {"action_size": 10**9}, {"hidden": [60_000, 3_000]},
    ],
)  # fmt: skip
def test_an_architecture_that_claims_more_weights_than_there_are_is_refused(tmp_path, spec):
    save_policy(tmp_path / "p", PolicyNetwork(PolicySpec(observation_size=2, action_size=1)), {})
    manifest = json.loads((tmp_path / "p" / "policy.json").read_text())
    manifest["spec"] |= spec
    identity = {key: manifest[key] for key in ("schema", "spec", "weights_sha256")}
    manifest["digest"] = digest(identity)
    (tmp_path / "p" / "policy.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"policy\.(json|safetensors)") as caught:
        load_policy(tmp_path / "p")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_spec_counts_its_weights():
    for head in ("bounded", "clamped", "constant"):
        spec = PolicySpec(observation_size=3, action_size=2, hidden=(5, 7), std_head=head)
        count = sum(value.numel() for value in PolicyNetwork(spec).state_dict().values())
        assert spec.num_parameters == count
    with pytest.raises(ValidationError, match="beyond"):
        PolicySpec(observation_size=100_000, action_size=1, hidden=(10_000,))


@pytest.mark.parametrize("text", ["[" * 10**5, '{"a":' * 10**5, " " * (2**24 + 1)])
def test_a_deep_or_a_large_manifest_is_refused(tmp_path, text):
    save_policy(tmp_path / "p", PolicyNetwork(PolicySpec(observation_size=2, action_size=1)), {})
    (tmp_path / "p" / "policy.json").write_text(text)
    with pytest.raises(UserError, match=r"policy\.json is damaged"):
        load_policy(tmp_path / "p")


def test_a_limit_is_a_limit(tmp_path):
    (tmp_path / "f").write_bytes(bytes(10))
    assert read_bytes(tmp_path / "f", 10) == bytes(10)
    with pytest.raises(TooLarge, match="larger than 9 bytes"):
        read_bytes(tmp_path / "f", 9)


def test_all_that_takes_no_more_memory_than_there_is_room(tmp_path):
    """The same under a limit of the kernel's: what were taken beyond it would be a MemoryError."""
    bomb(tmp_path / "p.zip", "policy.pth", 2**29, data=b"{}")
    code = (
        "import resource, sys, pathlib; from sport_ray.adapters import read_sb3\n"
        "from sport_ray.errors import UserError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**27, used + 2**27))\n"
        "try: read_sb3(pathlib.Path(sys.argv[1]))\n"
        "except UserError as error: print(error)\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "p.zip")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "larger than" in done.stdout


@pytest.mark.parametrize("text", [b"[1]", b'{"a": 1, "a": 1}', b'{"a": {"b": 1, "b": 2}}',
                                  b'{"a": NaN}', b'{"a": -Infinity}', b"{", b"\xff{}"])  # fmt: skip
def test_no_object_that_two_readers_may_read_in_two_ways(text):
    assert json_object(b'{"a": [null, 1.5]}') == {"a": [None, 1.5]}
    with pytest.raises(ValueError):
        json_object(text)
