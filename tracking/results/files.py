"""Files that are either the old version or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sport_ray.errors import UserError


@contextmanager
def writing(folder: Path, remedy: str = "give another folder with --out") -> Iterator[None]:
    """What cannot be written within is told in one line, with the folder and the remedy.

    Raises:
        UserError: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and folder.is_dir():
            raise  # something else is missing, which nobody should have to guess
        raise UserError(f"{folder} cannot be written ({error.strerror}): {remedy}") from error


def write_atomically(path: Path, content: str | bytes) -> Path:
    """Write `content` to `path`: temporary name in the same folder, fsync, rename.

    Text is written as UTF-8 with the line ends it has. Returns `path`. On an error (a full
    disk, say) the previous file is untouched and the temporary one is removed.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
