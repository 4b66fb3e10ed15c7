"""Brings a copy on this machine up to date with the store; only what has changed is fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sport_ray.canonical import write_atomic
from sport_ray.errors import UserError
from sport_ray.experiments.results.disk import is_disk_full, no_room
from sport_ray.experiments.storage.index import Index, state_of
from sport_ray.experiments.storage.layout import Wanted, is_finished, is_record
from sport_ray.experiments.storage.objects import Object, Objects
from sport_ray.experiments.storage.threads import in_threads

AT_A_TIME = 16


def pull(
    objects: Objects,
    root: Path,
    index: Index,
    wanted: Wanted,
    *,
    own: bool = False,
    tell: Callable[[int, int], None] | None = None,
    listed: Iterable[Object] | None = None,
) -> int:
    """Fetch the objects that are wanted and not there yet; how many.

    listed: all objects, for who has asked already.
    own: files that were changed here since are a driver's, which could not send them: kept, unless
    the object has changed as well. Of a cell's records a finished one stays, here or there. tell:
    takes how many of how many are here.

    Raises:
        UserError: what the store says; a disk without room.
    """
    listed = objects.list() if listed is None else listed
    found = {one.name: one for one in listed if wanted(one.name)}
    for name in index.names():
        if wanted(name) and name not in found:  # removed from the store: made anew, if at all
            if index.is_current(name, root / name):
                (root / name).unlink()
            index.drop(name)
    todo = [one for one in found.values() if _is_news(one, root, index, own)]
    try:
        in_threads(lambda one: fetch(objects, one.name, root, index, own), todo, AT_A_TIME, tell)
    except OSError as error:
        if is_disk_full(error):
            raise no_room(root) from None
        raise UserError(f"{root} cannot be written: {error.strerror}") from None
    finally:
        index.save()
    return len(todo)


def _is_news(one: Object, root: Path, index: Index, own: bool) -> bool:
    entry = index.get(one.name)
    if entry is None or not entry.version.is_of(one.version):
        return True
    path = root / one.name
    return not index.is_current(one.name, path) and not (own and state_of(path) is not None)


def fetch(objects: Objects, name: str, root: Path, index: Index, own: bool) -> None:
    """Fetch one object, if there is one; own: as in ``pull``.

    Raises:
        UserError: what the store says.
    """
    found = objects.get(name)
    if found is None:  # removed since it was listed
        return
    data, meta = found
    path = root / name
    if own and is_record(name) and not is_finished(data) and _finished_here(path):
        index.put(name, meta.version, data)  # to be pushed over what is no result
        return
    write_atomic(path, data)
    index.put(name, meta.version, data, state_of(path))


def _finished_here(path: Path) -> bool:
    try:
        return is_finished(path.read_bytes())
    except OSError:
        return False
