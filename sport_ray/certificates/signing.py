"""Signatures: who vouches for a certificate (Ed25519 over the bytes of its file)."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sport_ray.canonical import write_atomic, write_json
from sport_ray.certificates.store import load_certificate
from sport_ray.errors import UserError

ALGORITHM = "ed25519"


def signature_path(certificate: Path) -> Path:
    """Where the signature of a certificate is: beside it, with ``.sig`` added to the name."""
    return certificate.with_name(certificate.name + ".sig")


def new_key(path: Path) -> None:
    """Write a new private key (PEM, PKCS#8, readable by the owner alone) and its ``.pub``.

    Raises:
        UserError: there is a file of that name already.
    """
    path = Path(path)
    public = path.with_name(path.name + ".pub")
    if path.exists() or public.exists():
        raise UserError(f"key {path} exists already: choose another name")
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    write_atomic(
        public,
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


def sign_certificate(certificate: Path, private_key: Path) -> Path:
    """Sign a certificate that is intact; returns the path of the signature.

    Raises:
        UserError: a certificate that is not valid, or a key that cannot be used.
    """
    load_certificate(certificate)
    try:
        key = serialization.load_pem_private_key(Path(private_key).read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UserError(f"key {private_key} cannot be used: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UserError(f"key {private_key} is not an Ed25519 key")
    signature = key.sign(Path(certificate).read_bytes())
    target = signature_path(Path(certificate))
    write_json(
        target,
        {"algorithm": ALGORITHM, "signature": base64.b64encode(signature).decode("ascii")},
    )
    return target


def check_signature(certificate: Path, public_key: Path) -> None:
    """Check that the holder of the private key signed these very bytes.

    Raises:
        UserError: no signature, one by another key or of other bytes, or an unusable key.
    """
    certificate = Path(certificate)
    try:
        key = serialization.load_pem_public_key(Path(public_key).read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise UserError(f"key {public_key} cannot be used: {error}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UserError(f"key {public_key} is not an Ed25519 key")
    path = signature_path(certificate)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["algorithm"] != ALGORITHM:
            raise ValueError(f"algorithm {document['algorithm']!r}")
        signature = base64.b64decode(document["signature"], validate=True)
        data = certificate.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"signature {path} is damaged: {error!r}") from None
    try:
        key.verify(signature, data)
    except InvalidSignature:
        raise UserError(
            f"signature {path} is not by the key {public_key}, or not of this certificate"
        ) from None
