"""Which object store a URI means, and where the copies of it lie on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple

from sport_ray.errors import UserError
from sport_ray.tracking.mlflow.uris import mask_uri

# One slash too: a path that was made of the URI has lost the other.
_URI = re.compile(r"(?P<scheme>s3|gs|az):/{1,2}(?P<bucket>[^/]*)/*(?P<prefix>.*)", re.DOTALL)
_OTHER = re.compile(r"\s*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>/{1,3}.*)", re.DOTALL)
_MEANT = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "az": "az", "azure": "az"}
_MEANT |= dict.fromkeys(("abfs", "abfss", "adl", "wasb", "wasbs"), "az")
"""What other tools call the stores."""
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_NO_PLACE = r"[@?#]"
"""Of credentials, a query or a fragment."""
_PART = re.compile(r"[A-Za-z0-9_.=+-]+")
CACHE = "SPORT_RAY_CACHE"
"""The variable that names another folder than ``~/.cache/sport-ray`` for copies."""


class Place(NamedTuple):
    """A prefix of a bucket (of a container, in Azure's words)."""

    scheme: str
    bucket: str
    prefix: str

    @classmethod
    def of(cls, text: str | Path) -> Place | None:
        """The place that a URI means, as text or as a path that was made of it; None of a path.

        >>> Place.of("s3://bucket/a/b/")
        Place(scheme='s3', bucket='bucket', prefix='a/b')
        >>> Place.of("results/s3") is None
        True

        Raises:
            UserError: a URI with credentials or a query in it, or without bucket or prefix; one of
                another scheme, which would be taken for a folder here.
        """
        found = _URI.fullmatch(str(text))
        if found is None:
            require_path(str(text))
            return None
        scheme, bucket, prefix = found["scheme"], found["bucket"], found["prefix"].strip("/")
        if re.search(_NO_PLACE, str(text)):
            raise UserError(
                f"{mask_uri(f'{scheme}://{bucket}/{prefix}')}: a URI of results holds no "
                f"credentials and no query; {CREDENTIALS[scheme]}"
            )
        parts = prefix.split("/")
        sound = all(_PART.fullmatch(one) and one not in (".", "..") for one in parts)
        if not _BUCKET.fullmatch(bucket) or not sound:
            why = ", of letters, digits and any of _ . = + -"
            if len(bucket) == 1:
                why = f"; a bucket's name has several characters, and {bucket!r} one"
            raise UserError(
                f"{scheme}://{bucket}/{prefix} names no place for results: write "
                f"{scheme}://BUCKET/PREFIX{why}"
            )
        return cls(scheme, bucket, prefix)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}"

    @property
    def above(self) -> Place | None:
        """The place that this one lies in, which may hold a study over several bases.

        >>> str(Place("s3", "bucket", "a/b").above), Place("s3", "bucket", "a").above
        ('s3://bucket/a', None)
        """
        parent = self.prefix.rpartition("/")[0]
        return self._replace(prefix=parent) if parent else None

    def below(self, name: str) -> Place:
        """The place of that name in this one."""
        return self._replace(prefix=f"{self.prefix}/{name}")

    @property
    def cache(self) -> Path:
        """The folder of this machine that copies of the place lie in."""
        root = os.environ.get(CACHE) or Path.home() / ".cache" / "sport-ray"
        end = os.environ.get(f"{ENDPOINT[self.scheme]}", "")  # two servers may have one bucket each
        key = hashlib.sha256(f"{self} {end}".encode()).hexdigest()[:12]
        return Path(root).absolute() / f"{self.prefix.rpartition('/')[2][:40]}-{key}"


def require_path(text: str) -> None:
    """Refuse what is neither a path nor a URI of ours, as other tools write them.

    Raises:
        UserError: naming what to write instead.
    """
    found = _OTHER.fullmatch(text)
    if found is None:
        return
    scheme, rest = found["scheme"].lower(), found["rest"].lstrip("/")
    if scheme == "file":
        instead = f"write the path, /{mask_uri(rest)}"
    elif scheme in _MEANT:
        # What follows may be a secret, and an account is no bucket.
        place = "BUCKET/PREFIX" if re.search(_NO_PLACE, rest) else rest
        instead = f"write {_MEANT[scheme]}://{place}"
    else:
        instead = "give a path, or s3://BUCKET/PREFIX, gs://… or az://…"
    raise UserError(f"{mask_uri(text.strip())}: no URI that results can be at; {instead}")


CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or an identity",
}
ENDPOINT = {"s3": "AWS_ENDPOINT_URL", "gs": "GOOGLE_BASE_URL", "az": "AZURE_ENDPOINT"}
"""The variable that leads to another server than the cloud's own."""
