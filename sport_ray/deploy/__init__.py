"""A certified policy outside of the laboratory: load a bundle, act, keep an audit log.

    policy = load("bundle", log="audit.jsonl")
    policy.reset(seed)
    action = policy.act(observation)

Needs torch and numpy only: no Ray, MLflow, numba, scipy, pydantic or gymnasium. ``export`` (which
writes bundles) is imported by nobody here.
"""

from sport_ray.deploy.audit import Check, audit_log
from sport_ray.deploy.bundle import Bundle, read_bundle
from sport_ray.deploy.guard import BeyondPromise
from sport_ray.deploy.policy import DeployedPolicy, StepRecord, load

__all__ = [
    "BeyondPromise",
    "Bundle",
    "Check",
    "DeployedPolicy",
    "StepRecord",
    "audit_log",
    "load",
    "read_bundle",
]
