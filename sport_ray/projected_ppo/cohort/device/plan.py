"""What all cells of a cohort on a device share, and which configurations can be trained so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sport_ray.constraints import Constraint, RatioConstraint, Unconstrained
from sport_ray.families import Gaussian
from sport_ray.projected_ppo.minibatches import num_minibatches

if TYPE_CHECKING:
    from sport_ray.projected_ppo.algorithm import ProjectedPPOConfig


class Plan(NamedTuple):
    """How a batch is sampled and cut, the same for all cells.

    copies: n, of the environment in each cell; steps: T, of each copy in an iteration, so that a
    batch has T·n rows. runner: RLlib's index of the worker whose streams are drawn from.
    """

    env_id: str
    env_kwargs: Mapping[str, Any]
    copies: int
    steps: int
    minibatch_size: int
    num_epochs: int
    shuffled: bool = True
    through_projection: bool = False
    cut_after: int | None = None
    ends_when_violated: str | None = None
    judged: tuple[str, int] | None = None
    runner: int = 0

    @property
    def rows(self) -> int:
        """Of a cell's batch."""
        return self.steps * self.copies

    @property
    def num_minibatches(self) -> int:
        """Until all rows were seen ``num_epochs`` times."""
        return num_minibatches(self.rows, self.minibatch_size, self.num_epochs)

    @classmethod
    def of(cls, config: ProjectedPPOConfig) -> Plan:
        """The plan of a configuration, validated or not."""
        from sport_ray.projected_ppo.cohort.sharing import _task

        env_id, kwargs = _task(config)
        assert env_id is not None
        runner = min(config.num_env_runners, 1)
        copies = config.num_envs_per_env_runner
        steps = config.get_rollout_fragment_length(runner)
        return cls(
            env_id=env_id,
            env_kwargs=kwargs,
            copies=copies,
            steps=steps,
            minibatch_size=config.minibatch_size or steps * copies,
            num_epochs=config.num_epochs,
            shuffled=config.shuffle_batch_per_epoch,
            through_projection=config.gradient == "through_projection",
            cut_after=config.cut_after,
            ends_when_violated=config.ends_when_violated,
            judged=config.judged,
            runner=runner,
        )


def why_not_on_device(config: ProjectedPPOConfig) -> str | None:
    """Why a device cannot train this configuration in lockstep, in one clause; None where it can.

    The same for all configurations of one ``cohort_key`` but for their constraints.
    """
    from sport_ray.projected_ppo.cohort.sharing import why_alone

    if (reason := why_alone(config)) is not None:
        return reason
    assert config.constraint is not None
    return why_not_together(config, [config.constraint])


def why_not_together(config: ProjectedPPOConfig, constraints: Iterable[Constraint]) -> str | None:
    """As :func:`why_not_on_device`, for cells with these constraints that share the rest."""
    from sport_ray.projected_ppo.cohort.sharing import _task
    from sport_ray.tensors.registry import tensor_factory

    if (family := config._family()) is not Gaussian:
        return f"the family {family.name!r} has no form on a device yet"
    for constraint in constraints:
        if not is_stateless(constraint):
            return f"the constraint {constraint.name!r} has no form on a device yet"
    if config.objective is not None:
        return "its objective has no form on a device yet"
    if config.num_env_runners > 1:
        return f"it has {config.num_env_runners} runners, a device has one"
    env_id, kwargs = _task(config)
    assert env_id is not None
    if tensor_factory(env_id) is None:
        return f"the environment {env_id!r} has no tensor form"
    if "render_mode" in kwargs:
        return "a tensor environment draws no pictures"
    return None


def is_stateless(constraint: Constraint) -> bool:
    """Whether a step may go as far in every state, by the projection onto a largest log ratio."""
    if isinstance(constraint, Unconstrained):
        return True
    return constraint.step_kind() == RatioConstraint(alpha=1.0).step_kind()
