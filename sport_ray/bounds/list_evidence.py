"""What the test of one limit is made from, as a file: computed again wherever it is read."""

from __future__ import annotations

import io
import math
import zipfile
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sport_ray.bounds.off_policy import OffPolicyBound, off_policy_bound, off_policy_holds
from sport_ray.errors import UserError

_NAMES = ("log_ratios", "violated", "capped", "caps", "log_ratio_limit")


@dataclass(frozen=True)
class ListEvidence:
    """One policy's ratios on the scenarios of its list.

    log_ratios: (n,), nats. violated: (n,), bool. capped: (n, k), caps: (k,), see
    ``sport_ray.rollouts.capped_ratio``. log_ratio_limit: nats, of any path; None without one.
    """

    log_ratios: NDArray[np.float64]
    violated: NDArray[np.bool_]
    capped: NDArray[np.float64]
    caps: NDArray[np.float64]
    log_ratio_limit: float | None

    def tested(self, beta: float) -> OffPolicyBound:
        """The off-policy bound, in the world of the scenarios.

        Raises:
            ValueError: numbers that are none of scenarios.
        """
        return off_policy_bound(
            self.log_ratios,
            self.violated,
            beta,
            log_ratio_limit=self.log_ratio_limit,
            capped=self.capped,
            caps=self.caps.tolist(),
        )

    def bound(self, beta: float, world: float = 1.0) -> float | None:
        """The off-policy bound times what another world costs, rounded up; None if refused.

        Raises:
            ValueError: numbers that are none of scenarios.
        """
        found = self.tested(beta).bound
        if found is None or world == 1.0:
            return found
        return min(math.nextafter(found * world, 2.0), 1.0)

    def fits(self, limit: float) -> bool:
        """Whether it counts on no smaller limit of a path's log ratio than this one, nats."""
        given = self.log_ratio_limit
        return given is None or (limit > 0.0 and given >= limit)

    def holds(self, beta: float, eps: float) -> bool:
        """Whether the off-policy bound is at most eps, in the world of the scenarios.

        Raises:
            ValueError: numbers that are none of scenarios.
        """
        return off_policy_holds(
            self.log_ratios,
            self.violated,
            beta,
            eps,
            log_ratio_limit=self.log_ratio_limit,
            capped=self.capped,
            caps=self.caps.tolist(),
        )

    def to_bytes(self) -> bytes:
        """A file without pickle."""
        buffer = io.BytesIO()
        limit = math.nan if self.log_ratio_limit is None else self.log_ratio_limit
        arrays = {name: getattr(self, name) for name in _NAMES[:-1]}
        np.savez_compressed(buffer, allow_pickle=False, **arrays, log_ratio_limit=np.float64(limit))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse.

        Raises:
            UserError: another file.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in _NAMES}
            limit = float(arrays.pop("log_ratio_limit"))
        except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            raise UserError("the evidence of a limit is damaged: export the cell again") from None
        return cls(**arrays, log_ratio_limit=None if math.isnan(limit) else limit)
