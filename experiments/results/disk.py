"""Full disks: told apart from other failures, since there a sweep must stop and lose nothing."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from sport_ray.errors import UserError
from sport_ray.experiments.results.failures import chain

PROBE_BYTES = 1024 * 1024
"""More than a record, its samples and a policy of the usual size take together."""


class DiskFull(UserError):
    """No room under a result folder: nothing is recorded as failed, the cell is run again."""


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it came from, is a full disk or a quota that is used up."""
    return any(
        isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT)
        for one in chain(error)
    )


def require_space(*folders: Path) -> None:
    """Write a file of 1 MiB into each folder that exists, and remove it.

    Free space as the system tells it knows nothing of quotas.

    Raises:
        DiskFull: naming the folder.
    """
    for folder in folders:
        if not folder.is_dir():
            continue
        probe = folder / f".probe.{secrets.token_hex(8)}.tmp"
        try:
            with probe.open("wb") as handle:
                handle.write(os.urandom(PROBE_BYTES))
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            if is_disk_full(error):
                raise no_room(folder) from None
        finally:
            probe.unlink(missing_ok=True)


def no_room(folder: Path) -> DiskFull:
    """The one-line error."""
    return DiskFull(
        f"no room on the disk of {folder}: what is finished is kept; make room and run the same "
        "command again"
    )
