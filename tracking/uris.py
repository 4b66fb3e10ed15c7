"""Tracking URIs without their secrets: for messages, and for what is written to disk."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit


def mask_uri(uri: str) -> str:
    """A URI fit for a message: without user name, password and query values.

    >>> mask_uri("http://me:secret@host:5000/a?token=1")
    'http://***@host:5000/a?***'
    """
    uri = re.sub(r"(?<=://)(?!/).*@", "***@", uri, flags=re.DOTALL)
    return re.sub(r"\?.*$", "?***", uri, flags=re.DOTALL)


def mask_text(text: str) -> str:
    """A message in which every URI's user name and password are masked.

    >>> mask_text("tracking = 'http://me:secret@host:5000': not a mapping")
    "tracking = 'http://***@host:5000': not a mapping"
    """
    return re.sub(r"(?<=://)(?!/)[^\s'\"]*@", "***@", text)


def without_credentials(uri: str) -> str:
    """A URI that still leads to the store, for whoever has the credentials: no user, no query.

    >>> without_credentials("http://me:secret@host:5000/a?token=1")
    'http://host:5000/a'
    >>> without_credentials("sqlite:////home/a@b/mlflow.db")
    'sqlite:////home/a@b/mlflow.db'
    """
    scheme, found, rest = uri.partition("://")
    if not found:
        return uri
    if not rest.startswith("/"):  # up to the last '@': a password may hold any of '@/?#'
        rest = rest.rpartition("@")[2]
    rest = re.sub(r"[?#].*$", "", rest, flags=re.DOTALL)
    return f"{scheme}://{rest}"


def secrets_of(uri: str) -> list[str]:
    """What of a URI must not be seen, longest first: as written and decoded."""
    rest = uri.partition("://")[2]
    found = {rest.rpartition("@")[0]} if not rest.startswith("/") else set()
    try:
        parts = urlsplit(uri)
        found |= {parts.netloc.rpartition("@")[0], parts.password or "", parts.query}
    except ValueError:
        found.add(rest)
    found |= {unquote(secret) for secret in found}
    return sorted(found - {""}, key=len, reverse=True)
