"""A certified policy outside of the laboratory: load a bundle, act, keep an audit log.

    policy = load("bundle", log="audit.jsonl")
    policy.reset(seed)
    action = policy.act(observation)

In the field, with each episode's verdict: ``monitor = Monitor("monitor.jsonl", policy)``.

Needs the method (numpy, scipy, numba, torch, pydantic, safetensors, gymnasium), no Ray, no MLflow.
"""

from sport_ray.deploy.audit import Check, audit_log
from sport_ray.deploy.bundle import Bundle, read_bundle
from sport_ray.deploy.guard import BeyondPromise
from sport_ray.deploy.monitoring import Monitor, MonitorReport, base_promise
from sport_ray.deploy.policy import DeployedPolicy, load
from sport_ray.deploy.step import StepRecord
from sport_ray.deploy.update import update_bundle

__all__ = [
    "BeyondPromise",
    "Bundle",
    "Check",
    "DeployedPolicy",
    "Monitor",
    "MonitorReport",
    "StepRecord",
    "audit_log",
    "base_promise",
    "load",
    "read_bundle",
    "update_bundle",
]
