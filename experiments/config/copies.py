"""How many copies of an environment training may make, in all and in one process."""

from __future__ import annotations

from sport_ray.errors import UserError
from sport_ray.experiments.config.sections import Environment, ResourcesSection
from sport_ray.experiments.config.training import PPOSection, SACSection


def require_copies(
    environment: Environment,
    resources: ResourcesSection,
    name: str,
    section: PPOSection | SACSection,
) -> None:
    """Refuse a training that steps more environments side by side than can exist.

    name: of the section, begins the line of the error.

    Raises:
        UserError: naming both numbers.
    """
    runners = max(resources.env_runners_per_cell, 1)
    one = environment.copies_per_process
    if one is not None and section.num_envs > one:
        raise UserError(
            f"{name}.num_envs = {section.num_envs} is more than environment.copies_per_process = "
            f"{one}: lower num_envs to {one}"
        )
    limit = environment.copies
    if limit is None or section.num_envs * runners <= limit:
        return
    many = f"{name}.num_envs = {section.num_envs}"
    if runners > 1:
        many += f" times resources.env_runners_per_cell = {runners}"
    raise UserError(
        f"{many} is more than environment.copies = {limit}: lower num_envs to "
        f"{max(limit // runners, 1)}" + (", with fewer runners" if runners > limit else "")
    )


def concurrent_trials(environment: Environment) -> int | None:
    """How many Tune trials may run at a time: one where copies are limited, None for no limit."""
    return None if environment.copies is None else 1
