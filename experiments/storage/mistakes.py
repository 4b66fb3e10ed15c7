"""What an object store says, in one line with a remedy and without secrets."""

from __future__ import annotations

import re

from obstore.exceptions import (
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from sport_ray.errors import UserError
from sport_ray.experiments.storage.place import CREDENTIALS, ENDPOINT, Place
from sport_ray.text import plain
from sport_ray.tracking.mlflow.uris import mask_text

LONGEST = 200
_NO_BUCKET = re.compile(
    r"NoSuchBucket|ContainerNotFound|specified (bucket|container) does not exist", re.IGNORECASE
)
_NO_CREDENTIALS = re.compile(
    r"169\.254\.|metadata\.google|Account must be specified|\boauth2?/|No credentials|"
    r"missing (credential|accesskeyid|secretaccesskey)",
    re.IGNORECASE,
)
_REFUSED = re.compile(r"\b40[13]\b|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch")
_UNABLE = re.compile(r"NotImplemented|\b501\b")


class StoreMistake(UserError):
    """Something that is asked of a store and cannot be had.

    missing: of one object, which is not there.
    """

    missing = False


class StoreAway(StoreMistake):
    """A store that does not answer, or not now; it may be back in a moment."""


def explained(error: Exception, place: Place) -> StoreMistake:
    """The one line that says what is wrong."""
    text = " ".join(mask_text(plain(str(error))).split())
    if _NO_BUCKET.search(text):
        what = "container" if place.scheme == "az" else "bucket"
        return StoreMistake(
            f"{place}: there is no {what} {place.bucket!r}: make it, or write another URI"
        )
    if isinstance(error, FileNotFoundError):
        found = StoreMistake(f"{place}: an object is gone that was there: {_short(text)}")
        found.missing = True
        return found
    if _NO_CREDENTIALS.search(text):
        return StoreMistake(f"{place}: no credentials were found: {CREDENTIALS[place.scheme]}")
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _REFUSED.search(text):
        return StoreMistake(
            f"{place}: permission denied: the account that is used may not do this there (needed "
            f"are list, read, write and delete below the prefix); {_short(text)}"
        )
    if isinstance(error, NotSupportedError) or _UNABLE.search(text):
        return no_conditions(place)
    if isinstance(error, ValueError):
        return StoreMistake(f"{place}: {_short(text)}")
    return StoreAway(
        f"{place}: the store does not answer; look at the network, and at "
        f"{ENDPOINT[place.scheme]} if it is no server of the cloud's own ({_short(text)})"
    )


def no_conditions(place: Place) -> StoreMistake:
    """The error of a server on which two drivers could not be told apart."""
    return StoreMistake(
        f"{place}: the server does not support conditional writes (If-None-Match, If-Match), on "
        "which rests that one driver at a time writes: take a newer version of it, or another store"
    )


def _short(text: str) -> str:
    """The beginning of what a client says, without its debug output."""
    text = text.partition(" Debug source:")[0]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
