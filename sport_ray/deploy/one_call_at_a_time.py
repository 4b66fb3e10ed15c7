"""One call at a time, in one process, and none on top of one that was cut short."""

from __future__ import annotations

import os
import threading
from types import FrameType

from sport_ray.deploy.guard import BeyondPromise


class Turn:
    """Threads take turns; what comes from another process, or from within a call, is refused.

    A call leaves its frame here when it begins and takes it away when it is done. So what was cut
    short, wherever that happened (Ctrl-C between any two instructions, a full disk), has left one
    that runs no more: nothing has to be cleaned up for that to be known.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._process = os.getpid()
        self._frame: FrameType | None = None

    def require_process(self) -> None:
        """Refuse in a forked child; to be asked before the lock, which another thread may hold.

        Raises:
            BeyondPromise: says which process it belongs to.
        """
        if os.getpid() != self._process:
            raise BeyondPromise(
                f"the policy belongs to process {self._process}: a forked one would spend the "
                "same budget and draw the same noise again; load the bundle in this one"
            )

    def begin(self, frame: FrameType) -> bool:
        """With the lock: a call begins. Whether the one before was cut short.

        Raises:
            BeyondPromise: that one still runs, beneath this one (a signal handler, a callback).
        """
        before = self._frame
        if before is not None and _runs(before, beneath=frame):
            raise BeyondPromise("the policy was called from within one of its own calls")
        self._frame = frame
        return before is not None

    def done(self) -> None:
        """The call did all that it had to."""
        self._frame = None

    def was_cut(self) -> bool:
        """Whether the last call was cut short; a call that runs in another thread was not."""
        if not self.lock.acquire(blocking=False):
            return False
        try:
            return self._frame is not None
        finally:
            self.lock.release()


def _runs(frame: FrameType, beneath: FrameType) -> bool:
    above: FrameType | None = beneath
    while above is not None:
        if above is frame:
            return True
        above = above.f_back
    return False
