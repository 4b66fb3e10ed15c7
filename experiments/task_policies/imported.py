"""A task policy from elsewhere: a policy folder that is evaluated and projected, never trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Name, Section
from sport_ray.experiments.task_policies._paths import settled_place
from sport_ray.experiments.task_policies.source import TaskPolicySource, require_alike

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.policies import PolicyFile, PolicyNetwork


class ImportedSection(Section):
    """Which policy to take."""

    path: Name
    """Policy folder (policy.json, policy.safetensors), relative to the study file."""
    digest: str | None = None
    """sha256 of the policy, another one is refused; by default what is there when it is read."""


class ImportedSource(TaskPolicySource):
    """A policy folder, such as ``sport-ray import-base`` writes: one policy for every T and seed.

    Nothing is known of how it was made: no environment steps, and no count of violations.
    """

    name = "imported"
    title = "Imported"
    settings = ImportedSection
    promise = "none before it is evaluated"
    in_training = "no episodes"
    needs_layers = False
    trains = False

    def settle(self, settings: Section, study_folder: Path) -> Section:
        """The settings with the folder's full path and the policy's digest.

        In a result folder, whose study.yaml has paths relative to where it came from, they are
        those of its study.json.
        """
        assert isinstance(settings, ImportedSection)
        place = settled_place(
            study_folder, settings.path, _named(settings), ("imported", "path"), settings.digest
        )
        if place is None:
            raise UserError(
                f"task_policies.imported: policy {settings.path!r} does not exist in "
                f"{Path(study_folder).absolute()}: give a folder with policy.json and "
                "policy.safetensors"
            )
        folder, digest = place
        if digest is None:
            digest = _load(folder).digest
            _require_same(settings, digest)
        return ImportedSection(path=str(folder), digest=digest)

    def check(self, task: Task, settings: Section, base: PolicyNetwork) -> None:
        """Refuse a policy of other sizes than the base's, or with another action mapping."""
        assert isinstance(settings, ImportedSection)
        require_alike(_load(Path(settings.path)).network, base, _named(settings))

    def identity(self, settings: Section) -> dict[str, Any]:
        """The policy itself, wherever its folder lies."""
        assert isinstance(settings, ImportedSection)
        return {"policy": settings.digest or _load(Path(settings.path)).digest}

    def train(
        self, task: Task, settings: Section, base: PolicyNetwork, certificate: Certificate
    ) -> Trained:
        """The policy as it lies in the folder.

        Raises:
            UserError: no such policy, another one than when the study was read, or one that does
                not fit the base.
        """
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds

        assert isinstance(settings, ImportedSection)
        policy = _load(Path(settings.path))
        _require_same(settings, policy.digest)
        require_alike(policy.network, base, _named(settings))
        return Trained(policy.network, 0, 0.0, {})


def _load(folder: Path) -> PolicyFile:
    from sport_ray.policies import load_policy  # torch takes seconds

    return load_policy(folder)


def _named(settings: ImportedSection) -> str:
    return f"task_policies.imported: {settings.path}"


def _require_same(settings: ImportedSection, digest: str) -> None:
    if settings.digest not in (None, digest):
        raise UserError(
            f"{_named(settings)} holds the policy {digest[:16]}, expected "
            f"{str(settings.digest)[:16]}: put that one back, or remove the digest"
        )
