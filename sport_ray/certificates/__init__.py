"""Certificates: what rollouts of a base policy entitle one to claim, as a file."""

from sport_ray.certificates.build import build_certificate
from sport_ray.certificates.certificate import Certificate
from sport_ray.certificates.choice import Candidate, Choice
from sport_ray.certificates.parts import BoundTable, Counts
from sport_ray.certificates.sampling import AnytimeSampling, FixedSampling, Sampling
from sport_ray.certificates.store import load_certificate, save_certificate

__all__ = [
    "AnytimeSampling",
    "BoundTable",
    "Candidate",
    "Certificate",
    "Choice",
    "Counts",
    "FixedSampling",
    "Sampling",
    "build_certificate",
    "load_certificate",
    "save_certificate",
]
