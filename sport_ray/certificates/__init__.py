"""Certificates: what rollouts of a base policy entitle one to claim, as a file."""

from sport_ray.certificates.certificate import BoundTable, Certificate, Counts, build_certificate
from sport_ray.certificates.store import load_certificate, save_certificate

__all__ = [
    "BoundTable",
    "Certificate",
    "Counts",
    "build_certificate",
    "load_certificate",
    "save_certificate",
]
