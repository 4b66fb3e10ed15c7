"""The few things that are asked of an object store, whichever it is: whole writes on conditions.

An object is written whole or not at all: that is what these stores promise. ``create`` writes it
only where there is none, ``replace`` only where it is still the version that was seen. Both may be
asked again after an answer that was lost: what is there already, with the same bytes, is done.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

from sport_ray.experiments.storage.clients import client
from sport_ray.experiments.storage.mistakes import StoreAway, explained
from sport_ray.experiments.storage.place import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SHA256 = "sha256"
"""The metadata that an object's digest is kept in."""
TRIES = 4
_T = TypeVar("_T")


class Version(NamedTuple):
    """What tells two contents of one name apart; stores use one or both."""

    e_tag: str | None
    version: str | None

    def is_of(self, other: Version) -> bool:
        """Whether both are of one content: a list quotes tags in another way, or has no version.

        >>> Version('"0x1"', None).is_of(Version("0x1", "2"))
        True
        """
        if self.e_tag is not None and other.e_tag is not None:
            return self.e_tag.strip('"') == other.e_tag.strip('"')
        return self.version is not None and self.version == other.version


class Object(NamedTuple):
    """One object as it is listed; modified: by the store's clock."""

    name: str
    size: int
    version: Version
    modified: datetime


class Exists(Exception):
    """There is such an object already, with other bytes."""


class Changed(Exception):
    """The object is not the version that was seen, or is gone."""


class Objects:
    """The objects below a place. Names are relative to it, with '/'.

    seconds: how long one request may take, and all its repetitions together.

    Raises:
        UserError: from each method, in one line: no credentials, no such bucket, no permission, or
            (`StoreAway`) no answer.
    """

    def __init__(self, place: Place, seconds: float = 300.0) -> None:
        self.place = place
        self.seconds = seconds
        try:
            self._store: ObjectStore = client(place, seconds)
        except (BaseError, ValueError) as error:
            raise explained(error, place) from None

    def list(self) -> Iterator[Object]:
        """Every object, in no order."""
        found = self._ask(lambda: [one for part in obstore.list(self._store) for one in part])
        for one in found or []:
            if _is_plain(one["path"]):
                yield _object(one)

    def head(self, name: str) -> Object | None:
        """What is known of an object; None where there is none."""
        return self._ask(lambda: _object(obstore.head(self._store, name)), missing=True)

    def get(self, name: str) -> tuple[bytes, Object] | None:
        """An object's bytes, checked against the digest that was written with them; or None.

        Raises:
            StoreAway: bytes that are not those that were written, again and again.
        """

        def read() -> tuple[bytes, Object]:
            result = obstore.get(self._store, name)
            data = bytes(result.bytes())
            told = result.attributes.get(SHA256)
            if told is not None and told != hashlib.sha256(data).hexdigest():
                raise OSError(f"{name} came with other bytes than were written")
            return data, _object(result.meta)

        return self._ask(read, missing=True)

    def create(self, name: str, data: bytes) -> Version:
        """Write an object where there is none.

        Raises:
            Exists: there is one, of other bytes.
        """
        try:
            return self._put(name, data, "create")
        except AlreadyExistsError:
            return self._same(name, data, Exists)

    def replace(self, name: str, data: bytes, seen: Version) -> Version:
        """Write an object over the version that was seen.

        Raises:
            Changed: it is another version now, of other bytes.
        """
        mode = {key: value for key, value in seen._asdict().items() if value is not None}
        try:
            return self._put(name, data, mode)
        except PreconditionError:
            return self._same(name, data, Changed)

    def delete(self, name: str) -> None:
        """Remove an object, if there is one."""
        self._ask(lambda: obstore.delete(self._store, name), missing=True)

    def _put(self, name: str, data: bytes, mode: Any) -> Version:
        about: dict[str, Any] = {SHA256: hashlib.sha256(data).hexdigest()}

        def put() -> Version:
            done = obstore.put(
                self._store, name, data, attributes=about, mode=mode, use_multipart=False
            )
            return Version(done["e_tag"], done["version"])

        found = self._ask(put)
        assert found is not None
        return found

    def _same(self, name: str, data: bytes, otherwise: type[Exception]) -> Version:
        """The version that is there, where it has these bytes: a first try was heard after all."""
        found = self.get(name)
        if found is None or found[0] != data:
            raise otherwise(name)
        return found[1].version

    def _ask(self, what: Callable[[], _T], missing: bool = False) -> _T | None:
        """Ask, and ask again where the store is away; None where `missing` may be and is.

        The client below repeats what a store refuses for the moment (5xx) and connections that
        fail. It does not repeat a write on a condition whose answer never came: this does.
        """
        end = time.monotonic() + self.seconds
        for more in reversed(range(TRIES)):
            try:
                return what()
            except (AlreadyExistsError, PreconditionError):
                raise
            except (BaseError, OSError) as error:
                found = explained(error, self.place)
                if isinstance(error, FileNotFoundError) and missing and found.missing:
                    return None
                if not isinstance(found, StoreAway) or not more or time.monotonic() > end:
                    raise found from None
        raise AssertionError


def _object(meta: Any) -> Object:
    version = Version(meta["e_tag"], meta["version"])
    return Object(meta["path"], meta["size"], version, meta["last_modified"])


def _is_plain(name: str) -> bool:
    """Whether a name may become a path on this machine."""
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\\" not in name
