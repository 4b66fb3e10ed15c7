"""A study as others may see it: its tracking URI without user name, password and query.

Result folders are copied, shared and logged to MLflow, so nothing of a URI that opens a door may
lie in them. Whoever logs such a folder gives the credentials in the environment
(``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_PASSWORD``) or by the study file itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sport_ray.experiments.config.study_file import dump_study, study_values
from sport_ray.tracking.mlflow.uris import secrets_of, without_credentials

if TYPE_CHECKING:  # torch takes seconds, which `sport-ray status` should not
    from sport_ray.experiments.config.study import Study


def public_study(study: Study) -> dict[str, Any]:
    """The resolved study as plain JSON values."""
    return public_mapping(study.model_dump(mode="json"))


def public_mapping(study: dict[str, Any]) -> dict[str, Any]:
    """A study as read from YAML or JSON, as it was but for ``tracking.uri``.

    Where the same URI stands elsewhere, as an anchor in a section of its own, it is cut there too.
    """
    tracking = study.get("tracking")
    if not isinstance(tracking, dict) or not isinstance(tracking.get("uri"), str):
        return study
    uri = tracking["uri"]
    cut = without_credentials(uri)
    return study if cut == uri else {name: _cut(value, uri, cut) for name, value in study.items()}


def _cut(value: Any, uri: str, cut: str) -> Any:
    if isinstance(value, str):
        return value.replace(uri, cut)
    if isinstance(value, list):
        return [_cut(one, uri, cut) for one in value]
    if isinstance(value, dict):
        return {name: _cut(one, uri, cut) for name, one in value.items()}
    return value


def public_text(text: bytes) -> bytes:
    """A study file's own text; written anew, without comments, where a secret would remain."""
    study = study_values(text, "study file")
    public = public_mapping(study)
    if public == study:
        return text
    uri = study["tracking"]["uri"]
    changed = text.decode("utf-8-sig").replace(uri, without_credentials(uri))
    hidden = not any(secret in changed for secret in secrets_of(uri))
    if hidden and study_values(changed.encode(), "study file") == public:
        return changed.encode()
    return dump_study(public)
