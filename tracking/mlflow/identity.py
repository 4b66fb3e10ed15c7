"""What a result folder says in MLflow's terms: identities, names, parameters and times of runs."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from typing import Any

from sport_ray.tracking.results.kinds import PAPER
from sport_ray.tracking.results.parameters import parameters_of
from sport_ray.tracking.results.records import Results
from sport_ray.tracking.results.task_policies import plain_name

MAX_PARAM = 500  # MLflow refuses longer values in a database store
_OF_CERTIFICATE = {
    "certificate_digest": "digest",
    "certificate_num_scenarios": "num_scenarios",
    "certificate_beta": "beta",
    **{name: name for name in ("base_digest", "max_horizon", "env_id", "property")},
}


def sweep_id(folder: Results) -> str:
    """Content hash of a sweep, 16 hex digits: its resolved study and its certificate.

    Independent of where the folder lies, so a copy of the results is the same sweep.
    """
    digest = (folder.certificate or {}).get("digest")
    content = json.dumps([folder.study, digest], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def sweep_params(folder: Results) -> dict[str, str]:
    """What defines the sweep: the study's name, and what its certificate is about."""
    params = {"study": folder.name}
    if folder.certificate is not None:
        params |= {name: folder.certificate[key] for name, key in _OF_CERTIFICATE.items()}
    return {name: str(value)[:MAX_PARAM] for name, value in params.items()}


def record_digest(record: dict[str, Any]) -> str:
    """Content hash of a cell record as read."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def params_of(record: dict[str, Any]) -> dict[str, str]:
    """What defines the cell; never what came out of it, since a param cannot be changed."""
    params = {
        "alpha": _repr(record["alpha"]) if record["projected"] else "unconstrained",
        "T": str(record["horizon"]),
        "seed": str(record["seed"]),
        "source": record["source"],
        "engine": record.get("engine"),
        "projected": str(record["projected"]).lower(),
        "constraint": record["constraint"],
        "eps_max": _repr(record["eps_max"]),
        "log_budget": _repr(record["log_budget"]),
        "mu": _repr(record["mu"]),
        "hyperparameters": record["hyperparameters"],
        **parameters_of(record["hyperparameters"]),
        "base_digest": record["base_digest"],
        "certificate_digest": record["certificate_digest"],
    }
    return {name: value[:MAX_PARAM] for name, value in params.items() if value is not None}


def run_name(record: dict[str, Any]) -> str:
    """The name that the UI shows for a cell's run."""
    shown = [plain_name(record)]
    if record["projected"] and record["constraint"] != PAPER:
        shown.append(record["constraint"])
    names = {name: record[name] for name in ("alpha", "eps_max")}  # a policy may aim at a risk
    shown += [f"{name}={value:g}" for name, value in names.items() if value is not None][:1]
    parameters = parameters_of(record["hyperparameters"])
    varied = "".join(f" {name}={value}" for name, value in parameters.items())
    return f"{' '.join(shown)} T={record['horizon']}{varied} seed={record['seed']}"


def _repr(value: float | None) -> str | None:
    return None if value is None else repr(float(value))


def times_of(record: dict[str, Any]) -> tuple[int, int]:
    """Start and end of a cell in milliseconds since 1970; a time without a zone is UTC."""
    try:
        ended = datetime.fromisoformat(record["finished_at"])
    except ValueError:
        return 0, 0
    if ended.tzinfo is None:
        ended = ended.replace(tzinfo=UTC)
    spent = sum(
        value
        for value in (record.get("train_seconds"), record.get("eval_seconds"))
        if value is not None and math.isfinite(value)
    )
    milliseconds = max(round(ended.timestamp() * 1000), 0)
    return round(max(milliseconds - spent * 1000, 0)), milliseconds
