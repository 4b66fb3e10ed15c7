"""What became of the scenarios: counted where it happens, not concluded afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from sport_ray.errors import UserError
from sport_ray.rollouts.signal_kinds import SignalKinds


class ScenarioAborted(UserError):
    """A scenario that did not come to an end of its own: a set with it certifies nothing."""


@dataclass
class Tally:
    """Scenarios started (reset), finished (judged) and aborted (begun, but never judged).

    signals: what values the property's signals took in them.
    """

    started: int = 0
    finished: int = 0
    aborted: int = 0
    signals: SignalKinds = field(default_factory=SignalKinds, compare=False)

    def add(self, other: Tally) -> None:
        """Count the other's scenarios, too."""
        self.started += other.started
        self.finished += other.finished
        self.aborted += other.aborted
        self.signals.add(other.signals)

    def require_counts(self, planned: int) -> None:
        """Refuse scenarios, a part of a set perhaps, of which any planned one is missing.

        Raises:
            ScenarioAborted: started or finished differ from planned, or any was aborted.
        """
        if not self.started == self.finished == planned or self.aborted:
            raise ScenarioAborted(
                f"of {planned} planned scenarios {self.started} started, {self.finished} finished "
                f"and {self.aborted} were aborted: an incomplete set certifies nothing"
            )

    def require_complete(self, planned: int) -> None:
        """Refuse a whole set from which a scenario is missing, or whose signals may be flags.

        Raises:
            ScenarioAborted: as :meth:`require_counts`.
            UserError: a signal of which 0 may mean that it does not hold.
        """
        self.require_counts(planned)
        self.signals.require_told()
