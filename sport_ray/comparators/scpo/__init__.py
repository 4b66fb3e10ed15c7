"""SCPO: policies improved by sampled perturbations of their weights and projected steps."""

from sport_ray.comparators.scpo.acceptance import AcceptanceTests, Verdict
from sport_ray.comparators.scpo.local_model import LocalModel, perturbations
from sport_ray.comparators.scpo.safe_region import Projection, SafeRegion

__all__ = [
    "AcceptanceTests",
    "LocalModel",
    "Projection",
    "SafeRegion",
    "Verdict",
    "perturbations",
]
