"""Files that are either the old version or the new one, never half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sport_ray.canonical import write_atomic
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
    """Write `content` to `path`, or nothing at all (`sport_ray.canonical.write_atomic`); the path.

    Text is written as UTF-8 with the line ends it has.
    """
    write_atomic(path, content.encode("utf-8") if isinstance(content, str) else content)
    return path
