"""What the test of a limit is made from, of a policy that keeps to a ratio."""

from __future__ import annotations

import numpy as np

from sport_ray.bounds.list_evidence import ListEvidence

COUNT = 2_000


def evidence(alpha: float, horizon: int, violations: int, seed: int = 0) -> ListEvidence:
    """Ratios of a policy that keeps to α, on scenarios of which some violated."""
    rng = np.random.default_rng(seed)
    part = np.where(rng.random(COUNT) < 0.5, 0.1, -0.1)
    return ListEvidence(
        log_ratios=np.log1p(part * (alpha - 1.0)),
        violated=np.arange(COUNT) < violations,
        capped=np.ones((COUNT, 1)),
        caps=np.array([2.0]),
        log_ratio_limit=horizon * float(np.log(alpha)),
    )
