"""Certificates on disk: exact round trips, and every changed byte is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sport_ray.canonical import digest, write_json
from sport_ray.certificates import Certificate, load_certificate, save_certificate
from sport_ray.errors import UserError


@pytest.fixture
def path(tmp_path: Path, certificate: Certificate) -> Path:
    """A saved certificate."""
    save_certificate(tmp_path / "results" / "certificate.json", certificate)
    return tmp_path / "results" / "certificate.json"


def test_round_trip_to_the_last_bit(path, certificate):
    loaded = load_certificate(path)
    assert loaded == certificate
    assert loaded.digest == certificate.digest
    save_certificate(path.with_name("again.json"), loaded)
    assert path.with_name("again.json").read_bytes() == path.read_bytes()


def test_the_file_holds_what_others_read(path, certificate):
    document = json.loads(path.read_text())
    assert document.pop("digest") == certificate.digest == digest(document)
    assert document["schema"] == "sport-ray/certificate/2"
    assert document["table"]["eps_base"] == certificate.table.eps_base


def test_arguments_that_json_cannot_tell_apart_still_match(path, certificate):
    pair = certificate.model_copy(update={"env_kwargs": {"start": (0.0, 1.5)}})
    save_certificate(path, pair)
    loaded = load_certificate(path)
    assert loaded.digest == pair.digest
    for one in (loaded, pair):
        one.require_match(
            base_digest=one.base_digest,
            env_id=one.env_id,
            env_kwargs={"start": (0.0, 1.5)},
            property_=one.property,
        )


def test_every_changed_byte_is_found(path):
    data = path.read_bytes()
    for position in range(0, len(data), 11):
        for flip in (1, 32):
            changed = bytes([data[position] ^ flip])
            path.write_bytes(data[:position] + changed + data[position + 1 :])
            with pytest.raises(UserError, match=r"certificate .*certificate\.json (was|is) ") as e:
                load_certificate(path)
            assert "\n" not in str(e.value)
    path.write_bytes(data)
    assert load_certificate(path)


FIELDS = [
    "base_digest", "env_id", "property", "num_scenarios", "beta", "root_seed", "max_horizon",
    "mean_steps_to_goal", "schema",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_every_changed_field_is_found(path, field):
    document = json.loads(path.read_text())
    document[field] = "x" if isinstance(document[field], str) else document[field] + 1
    write_json(path, document)
    with pytest.raises(UserError, match="was altered: its digest does not match"):
        load_certificate(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{\n "base_digest"', '{\n "beta": 0.5,\n "base_digest"'),  # read first, then overridden
        ('"beta": 1e-07', '"beta": 1.0e-7'),  # the same number
        ("\n}", "\n }"),
        ("\n}\n", "\n}"),
    ],
)
def test_a_change_that_json_does_not_see_is_found(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert json.loads(path.read_text()) == json.loads(text)
    with pytest.raises(UserError, match="was altered"):
        load_certificate(path)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"1", b"null", b'"digest"', b"{}", b'{"digest": 1}', b"\xff\xfe",
        b'{"digest": "x", "beta": NaN}', b"[" * 100_000, b'["digest"]',
    ],
    ids=lambda content: repr(content[:12]),
)  # fmt: skip
def test_what_is_no_certificate_is_one_line(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"certificate\.json (is damaged|was altered)") as caught:
        load_certificate(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_scenarios": 10**6}, "not valid at the whole: .*num_scenarios"),
        ({"counts": {"planned": 400, "started": 400, "finished": 390, "aborted": 10}}, "at counts"),
        ({"beta": "small"}, "at beta"),
        ({"note": ""}, "at note"),
        ({"schema": "sport-ray/certificate/1"}, "at schema"),
    ],
)
def test_a_right_digest_does_not_make_a_certificate(path, change, message):
    body = {k: v for k, v in json.loads(path.read_text()).items() if k != "digest"} | change
    write_json(path, {**body, "digest": digest(body)})
    with pytest.raises(UserError, match=message) as caught:
        load_certificate(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_names_the_command(tmp_path):
    with pytest.raises(UserError, match=r"does not exist: make one with `sport-ray certify`"):
        load_certificate(tmp_path / "certificate.json")
    with pytest.raises(UserError, match="damaged"):
        load_certificate(tmp_path)


def test_a_file_that_is_too_large_is_not_read(path, certificate, monkeypatch):
    save_certificate(path, certificate)
    monkeypatch.setattr("sport_ray.certificates.store.LARGEST", path.stat().st_size - 1)
    with pytest.raises(UserError, match="is larger than any certificate"):
        load_certificate(path)


@pytest.mark.parametrize("huge", [10**400, 2**70])
def test_numbers_that_no_computation_takes_are_one_line(path, certificate, huge):
    body = certificate.body()
    body["num_scenarios"] = body["sampling"]["num_scenarios"] = huge
    body["counts"] = {"planned": huge, "started": huge, "finished": huge, "aborted": 0}
    write_json(path, {**body, "digest": digest(body)})
    with pytest.raises(UserError, match="is not valid") as caught:
        load_certificate(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target", ["/dev/zero", "pipe"])
def test_what_never_ends_is_not_read(tmp_path, target):
    path = tmp_path / "certificate.json"
    os.mkfifo(path) if target == "pipe" else path.symlink_to(target)
    with pytest.raises(UserError, match=r"is damaged: .*no regular file"):
        load_certificate(path)
