"""The two experiments of arXiv 2512.13788, made anew from its description."""

from sport_ray.scpo.examples.double_integrator import malicious_imitation
from sport_ray.scpo.examples.experiment import Experiment
from sport_ray.scpo.examples.regression import harmful_regression

EXPERIMENTS = {"regression": harmful_regression, "double-integrator": malicious_imitation}
"""Experiments by name; each takes a seed."""

__all__ = ["EXPERIMENTS", "Experiment", "harmful_regression", "malicious_imitation"]
