"""What became of the scenarios: counted where it happens, not concluded afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from sport_ray.errors import UserError


class ScenarioAborted(UserError):
    """A scenario that did not come to an end of its own: a set with it certifies nothing."""


@dataclass
class Tally:
    """Scenarios started (reset), finished (judged) and aborted (begun, but never judged)."""

    started: int = 0
    finished: int = 0
    aborted: int = 0

    def add(self, other: Tally) -> None:
        """Count the other's scenarios, too."""
        self.started += other.started
        self.finished += other.finished
        self.aborted += other.aborted

    def require_complete(self, planned: int) -> None:
        """Refuse a set from which any planned scenario is missing.

        Raises:
            ScenarioAborted: started or finished differ from planned, or any was aborted.
        """
        if not self.started == self.finished == planned or self.aborted:
            raise ScenarioAborted(
                f"of {planned} planned scenarios {self.started} started, {self.finished} finished "
                f"and {self.aborted} were aborted: an incomplete set certifies nothing"
            )
