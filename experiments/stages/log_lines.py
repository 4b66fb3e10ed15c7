"""Progress in a file or a pipe: plain lines, from the first second on, less and less often."""

from __future__ import annotations

import re
import sys

from sport_ray.experiments.stages.told import Told

FIRST, GROWTH, MOST = 2.0, 1.5, 60.0
"""Seconds between two lines: those at first, how they grow, and at most."""
WIDTH = 120


class LogLines(Told):
    """A bar as lines of a log, on stderr: what a command found stays alone on its stdout."""

    _pause = FIRST
    _said = ""

    def pause(self) -> float:
        """More and more, so that an hour's log is short."""
        return self._pause

    def tell(self) -> None:
        """Write a line, if it says something new but the clock."""
        line = " ".join(self.text(WIDTH).replace("━", " ").replace("╸", " ").split())
        what = re.sub(r"\d+:\d\d:\d\d.*", "", line)
        if what != self._said:
            print(line, file=sys.stderr, flush=True)
            self._said, self._pause = what, min(GROWTH * self._pause, MOST)
