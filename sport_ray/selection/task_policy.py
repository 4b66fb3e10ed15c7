"""Task policies of any kind: a law that is projected, a choice among candidates, or a switch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from sport_ray.comparators.simplex import Switch, SwitchBehaviour, load_switch
from sport_ray.comparators.simplex.switch import MANIFEST as SWITCH
from sport_ray.constraints import Constraint, Unconstrained
from sport_ray.errors import UserError
from sport_ray.policies import (
    FrozenPolicy,
    PolicyFile,
    PolicyNetwork,
    load_policy,
    policy_digest,
    save_policy,
)
from sport_ray.rollouts.behaviour import Behaviour, ProjectedBehaviour
from sport_ray.samplers import BaseFile
from sport_ray.samplers.base_file import sampler_of
from sport_ray.selection.behaviour import SelectionBehaviour
from sport_ray.selection.selector import MANIFEST, Selector, load_selector

TaskPolicy = PolicyNetwork | Selector | Switch


class TaskPolicyFile(NamedTuple):
    """A task policy read from disk, its digest and how it was made."""

    policy: TaskPolicy
    digest: str
    provenance: dict[str, Any]


def task_policy_digest(policy: TaskPolicy) -> str:
    """sha256 (hex) of all that it is."""
    return policy_digest(policy) if isinstance(policy, PolicyNetwork) else policy.digest


def network_of(policy: TaskPolicy) -> PolicyNetwork | None:
    """The network of the base's family that it acts by; None of a choice among candidates."""
    if isinstance(policy, Switch):
        return policy.task
    return policy if isinstance(policy, PolicyNetwork) else None


def save_task_policy(folder: Path, policy: TaskPolicy, provenance: dict[str, Any]) -> str:
    """Write it into a folder; the digest."""
    if not isinstance(policy, PolicyNetwork):
        return policy.save(folder, provenance)
    return save_policy(folder, policy, provenance)


def load_task_policy(folder: Path) -> TaskPolicyFile:
    """The task policy in a folder, checked.

    Raises:
        UserError: nothing there, or anything that does not match, naming the file.
    """
    if (Path(folder) / MANIFEST).is_file():
        selector, provenance = load_selector(folder)
        return TaskPolicyFile(selector, selector.digest, provenance)
    if (Path(folder) / SWITCH).is_file():
        switch, provenance = load_switch(folder)
        return TaskPolicyFile(switch, switch.digest, provenance)
    return TaskPolicyFile(*load_policy(folder))


def task_behaviour(
    base: BaseFile, policy: TaskPolicy, constraint: Constraint, *, run_module: bool = False
) -> Behaviour:
    """How a task policy acts under a constraint around a base.

    run_module: as for ``UserSampler``.

    Raises:
        UserError: parts that do not fit each other.
    """
    if isinstance(policy, Selector):
        return SelectionBehaviour(sampler_of(base, run_module=run_module), policy, constraint)
    if not isinstance(base, PolicyFile):
        raise UserError(
            f"base sampler {base.spec.entry!r} has no density: a Gaussian task policy cannot be "
            "projected around it; choose among its samples (sources critic, critic_iterated)"
        )
    if isinstance(policy, Switch):
        if not isinstance(constraint, Unconstrained):
            raise UserError(
                f"a Simplex switch has no projection onto {constraint.name!r}: use it as it is"
            )
        return SwitchBehaviour(FrozenPolicy(base.network), policy)
    return ProjectedBehaviour(FrozenPolicy(base.network), FrozenPolicy(policy), constraint)
