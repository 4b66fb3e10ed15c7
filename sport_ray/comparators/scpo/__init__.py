"""SCPO: constrained optimisation of weights by sampled perturbations and projected steps."""

from sport_ray.comparators.scpo.acceptance import AcceptanceTests, Verdict
from sport_ray.comparators.scpo.local_model import LocalModel, fit_local_model, perturbations
from sport_ray.comparators.scpo.optimise import ScpoSettings, descend, optimise
from sport_ray.comparators.scpo.problem import Evaluation, Problem
from sport_ray.comparators.scpo.record import Iteration, Run
from sport_ray.comparators.scpo.safe_region import Projection, SafeRegion
from sport_ray.comparators.scpo.smoothness import Smoothness, estimate_smoothness, given_smoothness

__all__ = [
    "AcceptanceTests",
    "Evaluation",
    "Iteration",
    "LocalModel",
    "Problem",
    "Projection",
    "Run",
    "SafeRegion",
    "ScpoSettings",
    "Smoothness",
    "Verdict",
    "descend",
    "estimate_smoothness",
    "fit_local_model",
    "given_smoothness",
    "optimise",
    "perturbations",
]
