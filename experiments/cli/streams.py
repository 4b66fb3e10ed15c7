"""Standard output and error of a command: any text on any terminal, and readers that go away."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def forgiving_streams() -> Iterator[None]:
    """What the encoding of a stream lacks is printed as '?', whatever the locale.

    A pipe whose reader has gone (``| head``) ends the command without a word, with exit status 1.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # replaced by a test, or closed
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:  # as under pythonw, or after `>&-`
                    stream.flush()
    except BrokenPipeError:
        _let_go()
        sys.exit(1)


def _let_go() -> None:
    """Python flushes again as it ends, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
