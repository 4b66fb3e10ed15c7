"""Certificates on disk: JSON with a digest over itself.

The digest finds what was changed by accident or in passing. It is no signature: whoever rewrites
the whole file can recompute it.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from sport_ray.canonical import digest, readable_json, write_json
from sport_ray.certificates.certificate import Certificate
from sport_ray.errors import UserError
from sport_ray.untrusted_files import TooLarge, read_bytes

LARGEST = 64 * 2**20
"""Bytes of a file that is read: ten times a certificate of a hundred thousand steps."""


def save_certificate(path: Path, certificate: Certificate) -> None:
    """Write the certificate and its digest as readable JSON."""
    write_json(Path(path), {**certificate.body(), "digest": certificate.digest})


def load_certificate(path: Path) -> Certificate:
    """Read a certificate and check its digest.

    Raises:
        UserError: nothing there, not a certificate, or altered since it was written.
    """
    path = Path(path)
    try:
        data = read_bytes(path, LARGEST)
    except TooLarge:
        largest = f"{LARGEST // 2**20} MiB"
        raise UserError(f"{path} is larger than any certificate ({largest})") from None
    except FileNotFoundError:
        raise UserError(
            f"certificate {path} does not exist: make one with `sport-ray certify`"
        ) from None
    except OSError as error:
        raise UserError(f"certificate {path} is damaged: {error!r}") from None
    return certificate_from_bytes(data, path)


def certificate_from_bytes(data: bytes, path: Path | str) -> Certificate:
    """The certificate of a file's bytes; ``path`` is what errors call it.

    Raises:
        UserError: not a certificate, or altered since it was written.
    """
    try:
        document = json.loads(data)
        body = {key: value for key, value in document.items() if key != "digest"}
        claimed = document["digest"]
        # Byte for byte: a repeated key or another spelling of a number is a change, too.
        unchanged = digest(body) == claimed and readable_json(document) == data
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(f"certificate {path} is damaged: {error!r}") from None
    if not unchanged:
        raise UserError(f"certificate {path} was altered: its digest does not match its content")
    try:
        return Certificate.model_validate(body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole"
        raise UserError(f"certificate {path} is not valid at {where}: {problem['msg']}") from None
    except ArithmeticError as error:  # numbers that no computation takes
        raise UserError(f"certificate {path} is not valid: {error}") from None
