"""The client of each cloud, with credentials from where its own tools look for them.

Nothing of them is read here: the client takes them from the environment, from the machine's role,
or from `boto3` where a user's profile is all there is.
"""

from __future__ import annotations

import os
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from obstore.store import AzureStore, GCSStore, S3Store

from sport_ray.experiments.storage.place import ENDPOINT, Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_OWN_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
CONNECT_SECONDS = 10.0


def client(place: Place, seconds: float) -> ObjectStore:
    """A client that gives up after so many seconds, and repeats what was refused for the moment."""
    options: dict[str, Any] = {
        "client_options": {
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, seconds)),
            "allow_http": os.environ.get(ENDPOINT[place.scheme], "").startswith("http://"),
        },
        "retry_config": {
            "max_retries": 8,
            "retry_timeout": timedelta(seconds=seconds),
            "backoff": {
                "init_backoff": timedelta(seconds=0.1),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    }
    if place.scheme == "gs":
        return GCSStore(place.bucket, prefix=place.prefix, **options)
    if place.scheme == "az":
        return AzureStore(place.bucket, prefix=place.prefix, **options)
    return S3Store(place.bucket, prefix=place.prefix, **options, **_profile())


def _profile() -> dict[str, Any]:
    """What boto3 knows (``~/.aws``, AWS_PROFILE), where nothing else says who asks."""
    if any(os.environ.get(name) for name in _OWN_KEYS) or find_spec("boto3") is None:
        return {}
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    if session.get_credentials() is None:
        return {}
    return {"credential_provider": Boto3CredentialProvider(session)}
