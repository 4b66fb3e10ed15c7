"""Progress in a notebook: one output that is written over, and stays as one line when saved."""

from __future__ import annotations

from typing import Any

from sport_ray.experiments.stages.told import Told

SECONDS = 0.5
"""At least between two updates: each is a message to the browser."""


class OneLine(Told):
    """A bar as the text of one displayed output."""

    _handle: Any = None

    def pause(self) -> float:
        """As often as a browser may be told."""
        return SECONDS

    def tell(self) -> None:
        """Write the output anew, or for the first time."""
        from IPython.display import display

        shown = {"text/plain": self.text(self.console.width)}
        if self._handle is None:
            show: Any = display  # IPython has no types
            self._handle = show(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
