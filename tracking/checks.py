"""Whether the files of a study say the same thing: what a reader would want checked first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tracking.records import ResultFolder

RELATIVE_TOLERANCE = 1e-9  # of a probability through log and exp in float64


@dataclass(frozen=True)
class Check:
    """One check: what is claimed, whether it holds, and what was found."""

    claim: str
    held: bool
    found: str


def run_checks(folder: ResultFolder, frame: pd.DataFrame) -> list[Check]:
    """Checks of a result folder against itself; a failed one is reported, never repaired."""
    done = frame[frame["status"] == "finished"]
    bounded = done[done["alpha"].notna()]
    checks = [_ratio(bounded), _prior(bounded), _counts(done)]
    if folder.certificate is None:
        checks.append(Check("The folder holds its certificate", False, "certificate.json missing"))
    else:
        checks += _certificate(folder, frame, bounded)
    return checks


def _count(bad: int, total: int) -> str:
    return f"all {total} cells" if bad == 0 else f"not in {bad} of {total} cells"


def _ratio(bounded: pd.DataFrame) -> Check:
    bad = int((~bounded["ratio_held"]).sum())
    claim = "The largest log ratio met in evaluation is at most log α"
    return Check(claim, bad == 0, _count(bad, len(bounded)))


def _prior(bounded: pd.DataFrame) -> Check:
    known = bounded.dropna(subset=["prior_bound", "eps_base"])
    # Records from before there were perturbed worlds have neither ratio.
    world = {name: known[name].fillna(1.0).to_numpy(np.float64) for name in ("alpha_mu", "alpha_p")}
    log_bound = (
        np.log(known["eps_base"].to_numpy(np.float64))
        + np.log(world["alpha_mu"])
        + known["horizon"].to_numpy(np.float64)
        * np.log(known["alpha"].to_numpy(np.float64) * world["alpha_p"])
    )
    stated = np.log(known["prior_bound"].to_numpy(np.float64))
    # A bound too large for a float is stored as infinity; that is no contradiction.
    agree = np.isclose(stated, log_bound, rtol=0, atol=RELATIVE_TOLERANCE * 100) | (
        np.isposinf(stated) & (log_bound > math.log(np.finfo(np.float64).max) - 1)
    )
    bad = int((~agree).sum()) + len(bounded) - len(known)
    return Check(
        "The prior bound is ε_base · α_μ · (α_p · α)^T", bad == 0, _count(bad, len(bounded))
    )


def _counts(done: pd.DataFrame) -> Check:
    rate = done["num_violations"] / done["num_scenarios"]
    parts = (done["num_hazard"] + done["num_timeout"]).fillna(done["num_violations"])
    wrong = ~np.isclose(
        rate.to_numpy(np.float64), done["empirical_violation_rate"].to_numpy(np.float64), rtol=1e-12
    ) | (parts != done["num_violations"]).to_numpy(bool)
    bad = int(wrong.sum())
    claim = "Violations are hazard plus timeouts, and the rate is violations / scenarios"
    return Check(claim, bad == 0, _count(bad, len(done)))


def _certificate(folder: ResultFolder, frame: pd.DataFrame, bounded: pd.DataFrame) -> list[Check]:
    certificate = folder.certificate
    assert certificate is not None
    known = frame.dropna(subset=["certificate_digest", "base_digest"])
    other = (known["certificate_digest"] != certificate["digest"]) | (
        known["base_digest"] != certificate["base_digest"]
    )
    # A horizon that was chosen on other scenarios needs no correction for having looked at all T.
    chosen = certificate.get("choice") is not None
    column = "eps_base" if chosen else "eps_base_simultaneous"
    valid = "was chosen beforehand" if chosen else "holds for all T at once"
    table = dict(zip(certificate["table"]["horizon"], certificate["table"][column], strict=True))
    expected = bounded["horizon"].map(table).to_numpy(np.float64)
    differs = ~np.isclose(expected, bounded["eps_base"].to_numpy(np.float64), rtol=1e-12)
    counts = certificate.get("counts", {})
    planned, finished = counts.get("planned"), counts.get("finished")
    return [
        Check(
            "All cells used this certificate and this base policy",
            not other.any(),
            _count(int(other.sum()), len(known)),
        ),
        Check(
            f"ε_base is the certificate's value at T, which {valid}",
            not differs.any(),
            _count(int(differs.sum()), len(bounded)),
        ),
        Check(
            "Every planned certification scenario ran to its end",
            planned is not None and planned == finished == certificate["num_scenarios"],
            f"{finished} of {planned}",
        ),
    ]
