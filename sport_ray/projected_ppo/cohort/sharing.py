"""What the cells of a cohort share, what may differ, and what keeps a cell out of every cohort."""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import Any

from sport_ray.canonical import canonical_json, digest
from sport_ray.errors import UserError
from sport_ray.policies.network import PolicyNetwork
from sport_ray.policies.store import network_to_bytes
from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig
from sport_ray.projected_ppo.environment import TrainingEnvironment
from sport_ray.projected_ppo.index_algorithm import IndexPPOConfig

PER_CELL = (
    "seed",
    "constraint",
    "task",
    "lr",
    "critic_lr",
    "gamma",
    "lambda_",
    "clip_param",
    "entropy_coeff",
    "grad_clip",
    "vf_loss_coeff",
    "warmup_env_steps",
    "objective",
)
"""Options that act on their own cell alone."""

SHARED = (
    "num_env_runners",
    "num_envs_per_env_runner",
    "num_cpus_per_env_runner",
    "num_gpus_per_learner",
    "sample_timeout_s",
    "train_batch_size",
    "minibatch_size",
    "num_epochs",
    "shuffle_batch_per_epoch",
    "gradient",
    "cut_after",
    "ends_when_violated",
    "judged",
    "metrics_num_episodes_for_smoothing",
    "log_level",
)
"""Options that are one for the whole cohort, beside the base, the architecture and the task."""

_ELSEWHERE = {"base", "env", "env_config"}
_DERIVED = {"env_runner_cls", "simple_optimizer", "_is_frozen"}
"""What validation sets."""


def why_alone(config: ProjectedPPOConfig) -> str | None:
    """Why this configuration cannot be a cell of any cohort, in one clause; None where it can.

    A cohort samples and learns by itself, so whatever it does not know of keeps a cell out.
    """
    if isinstance(config, IndexPPOConfig):
        return "it trains over the index, which a cohort cannot yet"
    if type(config) is not ProjectedPPOConfig:
        return f"a {type(config).__name__} trains something else than one policy"
    start = config.task or config.base
    if start is not None and start.spec.convolution is not None:
        return "its policy sees images, which a cohort cannot yet"
    known = {*PER_CELL, *SHARED, *_ELSEWHERE, *_DERIVED}
    usual = _defaults()
    for name, value in vars(config).items():
        if name not in known and not _same(value, usual.get(name)):
            return f"it sets {name}, which a cohort does not know"
    env_id, kwargs = _task(config)
    if env_id is None:
        return "its environment is not a gymnasium id"
    try:
        canonical_json(kwargs)
    except (TypeError, ValueError):
        return "its environment's arguments are not JSON"
    for name in ("lr", "entropy_coeff"):
        if isinstance(getattr(config, name), list):
            return f"its {name} is a schedule"
    if config.base is None and config.task is None:
        return "it has no base policy"
    if config.constraint is None:
        return "it has no constraint"
    return None


def cohort_key(config: ProjectedPPOConfig) -> str:
    """A digest (sha256, hex) of what cells must share: those with one key may be one cohort.

    Raises:
        UserError: a configuration that can be in none (see :func:`why_alone`).
    """
    if (reason := why_alone(config)) is not None:
        raise UserError(f"this training cannot be part of a cohort: {reason}")
    env_id, kwargs = _task(config)
    return digest(
        {
            "base": None if config.base is None else weights_digest(config.base),
            "architecture": config._start().spec.model_dump(mode="json"),
            "environment": [env_id, kwargs],
            "options": {name: _plain(getattr(config, name)) for name in SHARED},
        }
    )


def weights_digest(network: PolicyNetwork) -> str:
    """sha256 of a network's architecture and weights."""
    spec = canonical_json(network.spec.model_dump(mode="json"))
    return hashlib.sha256(spec + network_to_bytes(network)).hexdigest()


def _task(config: ProjectedPPOConfig) -> tuple[str | None, dict[str, Any]]:
    """The environment's id and arguments, of a configuration that was validated or was not."""
    if isinstance(config.env, str):
        return config.env, dict(config.env_config)
    if config.env is TrainingEnvironment:
        return config.env_config["env_id"], dict(config.env_config["kwargs"])
    return None, {}


@cache
def _defaults() -> dict[str, Any]:
    return dict(vars(ProjectedPPOConfig()))


def _same(value: Any, usual: Any) -> bool:
    try:
        return value is usual or bool(value == usual)
    except Exception:  # arrays and whatever else does not compare
        return False


def _plain(value: Any) -> Any:
    """As JSON has it, which knows no infinity."""
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
