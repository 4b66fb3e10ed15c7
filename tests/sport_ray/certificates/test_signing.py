"""Signatures: by this key, of these bytes, or not at all."""

from __future__ import annotations

import stat

import pytest

from sport_ray.certificates import save_certificate
from sport_ray.certificates.signing import (
    check_signature,
    new_key,
    sign_certificate,
    signature_path,
)
from sport_ray.errors import UserError


@pytest.fixture
def signed(tmp_path, certificate):
    """A signed certificate and the key that signed it."""
    path, key = tmp_path / "certificate.json", tmp_path / "key.pem"
    save_certificate(path, certificate)
    new_key(key)
    sign_certificate(path, key)
    return path, key


def public(key):
    return key.with_name(key.name + ".pub")


def test_the_holder_of_the_key_signed_these_bytes(signed):
    path, key = signed
    check_signature(path, public(key))
    assert signature_path(path).name == "certificate.json.sig"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_other_bytes_are_not_signed(signed):
    path, key = signed
    path.write_bytes(path.read_bytes().replace(b"python", b"Python"))
    with pytest.raises(UserError, match=r"not by the key .* or not of this certificate"):
        check_signature(path, public(key))


def test_another_key_did_not_sign(signed, tmp_path):
    path, _ = signed
    new_key(tmp_path / "other.pem")
    with pytest.raises(UserError, match="not by the key"):
        check_signature(path, tmp_path / "other.pem.pub")


@pytest.mark.parametrize("text", ["", "{}", '{"algorithm": "none", "signature": ""}', "[]"])
def test_a_damaged_signature(signed, text):
    path, key = signed
    signature_path(path).write_text(text)
    with pytest.raises(UserError, match="is damaged"):
        check_signature(path, public(key))


def test_no_signature(signed):
    path, key = signed
    signature_path(path).unlink()
    with pytest.raises(UserError, match=r"certificate\.json\.sig does not exist"):
        check_signature(path, public(key))


def test_a_damaged_certificate_is_not_signed(signed):
    path, key = signed
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match="was altered"):
        sign_certificate(path, key)


def test_keys_that_cannot_be_used(signed, tmp_path):
    path, key = signed
    with pytest.raises(UserError, match="exists already"):
        new_key(key)
    (tmp_path / "no.pem").write_text("no key")
    for use in (sign_certificate, check_signature):
        with pytest.raises(UserError, match=r"no\.pem cannot be used"):
            use(path, tmp_path / "no.pem")
        with pytest.raises(UserError, match=r"missing\.pem cannot be used"):
            use(path, tmp_path / "missing.pem")
    with pytest.raises(UserError, match="cannot be used"):
        sign_certificate(path, public(key))
