"""Task policies that do not depend on the base, made once for a study over several bases.

They lie in the whole study's folder, ``task_policies/<identity>``: policy and what its training
took. Whoever comes first trains; one that cannot be read, or is of something else, is made again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sport_ray.canonical import digest
from sport_ray.errors import UserError
from sport_ray.plugins import code_of
from sport_ray.selection import load_task_policy, save_task_policy
from sport_ray.tracking.results.bases import shared_policies
from sport_ray.tracking.results.curves import Curves

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.sweep.cell import Cell
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyNetwork


def identity_of(
    cell: Cell,
    task: Task,
    training: dict[str, Any],
    base: PolicyNetwork,
    certificate: Certificate,
) -> dict[str, Any]:
    """All that such a policy depends on: what its cell does, without base and constraint.

    Of the base only its architecture, and of the certificate the environment's code.
    """
    from sport_ray.experiments.sweep.cell import METHOD_VERSION

    code = code_of(cell.source)
    return {
        **({"plugins": {cell.source: code}} if code else {}),
        "method_version": METHOD_VERSION,
        "source": cell.source,
        "training": training,
        "hyperparameters": dict(cell.hyperparameters),
        "environment": task.environment.model_dump(
            mode="json", exclude={"copies", "copies_per_process"}
        ),
        "code": dict(certificate.code),
        "property": task.property,
        "horizon": task.horizon,
        "max_horizon": task.max_horizon,
        "seed": task.seed,
        "env_runners": task.resources.env_runners_per_cell,
        "gpu": bool(task.resources.gpus_per_cell),
        "architecture": base.spec.model_dump(mode="json"),
    }


def made_once(root: Path, identity: dict[str, Any], train: Callable[[], Trained]) -> Trained:
    """What `train` gives; in a sub-folder of a study over several bases, from whoever was first.

    root: the result folder. What the first training took (steps, seconds, metrics) is what every
    base's record says.

    Raises:
        Exception: what `train` raises.
    """
    shared = shared_policies(root)
    if shared is None:
        return train()
    place = shared / digest(identity)[:16]
    kept = _kept(place, identity)
    if kept is not None:
        return kept
    made = train()
    took = {
        "env_steps": made.env_steps,
        "seconds": made.seconds,
        "metrics": made.metrics,
        "curves": None if made.curves is None else made.curves.to_json(),
    }
    save_task_policy(place, made.policy, {"identity": identity, "training": took})
    return made


def _kept(place: Path, identity: dict[str, Any]) -> Trained | None:
    from sport_ray.experiments.task_policies._training import Trained

    try:
        file = load_task_policy(place)
        if digest(file.provenance["identity"]) != digest(identity):
            return None
        took = dict(file.provenance["training"])
        told = took.pop("curves")
        curves = None if told is None else Curves.from_json(told)
        return Trained(file.policy, **took, curves=curves)
    except (UserError, KeyError, TypeError, ValueError):
        return None
