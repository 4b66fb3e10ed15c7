"""Environments for training: copies side by side, squashed actions, violations counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers import TimeLimit
from numpy.typing import NDArray

from sport_ray.constraints import constraint_from_json
from sport_ray.envs.faults import telling_what_failed
from sport_ray.envs.flatten import Flattening, flattening_of, require_same_observations
from sport_ray.envs.making import (
    made_with,
    make_copies,
    vector_creator,
)
from sport_ray.envs.squash import MappedActions, MappedVectorActions
from sport_ray.envs.stepping import Stepping
from sport_ray.envs.vector_stepping import VectorStepping
from sport_ray.policies.actions import ActionMapping
from sport_ray.projected_ppo.budget_environment import BudgetVectorEnv
from sport_ray.projected_ppo.candidate_environment import CandidateVectorEnv
from sport_ray.projected_ppo.ending import EndsWhenViolated, VectorEndsWhenViolated
from sport_ray.projected_ppo.judging import Judged, VectorJudged
from sport_ray.samplers import sampler_of
from sport_ray.tensors.registry import is_tensor_environment

AnyVectorEnv = VectorEnv[Any, Any, Any]


class CountingViolations(VectorWrapper):
    """Counts the episodes with a violation (``info["cost"] > 0``), then drops the infos.

    RLlib would turn the infos into one dict per environment and step.
    """

    def __init__(self, env: AnyVectorEnv) -> None:
        super().__init__(env)
        self._count: int | None = None  # None: the environment reports no cost
        self._violated = np.zeros(env.num_envs, dtype=bool)
        self.entered: NDArray[np.bool_] | None = None
        """Whose violation was settled with the last step, (n,); None: no cost is reported."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; the infos are empty."""
        observation, _ = self.env.reset(**kwargs)
        self._violated[:] = False
        return observation, {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step; the infos are empty."""
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if "cost" in infos:
            entered = (infos["cost"] > 0) & ~self._violated
            self._count = (self._count or 0) + int(entered.sum())
            self.entered = entered
            self._violated |= entered
            self._violated &= ~(terminated | truncated)
        return observation, reward, terminated, truncated, {}

    def take(self) -> int | None:
        """Episodes with a violation since the last call; None where no cost is reported."""
        count, self._count = self._count, None if self._count is None else 0
        return count


def take_violations(env: gym.Env[Any, Any] | AnyVectorEnv) -> int | None:
    """What the counter among the wrappers of ``env`` has to tell, if there is one."""
    counter = counter_of(env)
    return None if counter is None else counter.take()


def counter_of(env: gym.Env[Any, Any] | AnyVectorEnv) -> CountingViolations | None:
    """The counter among the wrappers of ``env``, if there is one."""
    layer: Any = env
    while not isinstance(layer, CountingViolations):
        layer = getattr(layer, "env", None)
        if layer is None:
            return None
    return layer


def log_violations(*, env_runner: Any, metrics_logger: Any, **kwargs: Any) -> None:
    """RLlib's callback at the end of sampling: counts episodes with a violation."""
    violating = take_violations(env_runner.env)
    if violating is not None:
        metrics_logger.log_value(
            "num_violating_episodes_lifetime", violating, reduce="lifetime_sum"
        )


class CostAlone(gym.Wrapper[Any, Any, Any, Any]):
    """Drops all infos but a ``cost`` that is a number: gymnasium would merge them over copies."""

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Reset; of the infos the cost alone."""
        observation, info = self.env.reset(**kwargs)
        return observation, _cost_of(info)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step; of the infos the cost alone."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, reward, terminated, truncated, _cost_of(info)


def _cost_of(info: dict[str, Any]) -> dict[str, Any]:
    cost = info.get("cost")
    return {"cost": cost} if isinstance(cost, float) else {}


class TrainingEnvironment:
    """What RLlib calls to make its environments; the call gives an environment, not this class.

    A class because RLlib takes either that or a name in Tune's registry. The context holds
    ``env_id`` (a gymnasium id), ``kwargs`` (its arguments), the action mapping (``squash`` and,
    where there are bounds, ``action_low`` and ``action_high``), ``flattening`` (the policy's, None
    for vectors; not given: whatever the environment's is), ``cut_after`` (steps after which
    an episode is cut without the environment's knowledge; None for never), ``ends_when_violated``
    (the formula of a property: an episode ends with the step that makes its violation final; None
    for never), ``judged`` (such a formula and T: what counts as a violation is that of it within T
    steps; None for whatever the environment calls a cost), where an action is to be the index of a
    candidate ``candidates`` (``base``, a ``BaseFile``, and ``count``) and, where RLlib wants a
    vector environment, ``num_envs``.

    The sample is what the distribution, the learner and every density ratio know; it is mapped on
    its way into the environment, and meets it through the same layer as scenarios do.
    """

    def __new__(cls, context: Mapping[str, Any]) -> gym.Env[Any, Any] | AnyVectorEnv:  # type: ignore[misc]
        """A vector environment when RLlib asks for ``num_envs``, else a single one."""
        env_id, mapping = context["env_id"], ActionMapping.from_json(context)
        if "num_envs" not in context:
            single = _ended(made_with(env_id, context["kwargs"]), context)
            mapping.require_fits(env_id, single.action_space)
            _require_seen(context, single.observation_space)
            return single if mapping.squash == "none" else MappedActions(single, mapping)
        vector: AnyVectorEnv = VectorStepping(_vector(context), env_id)
        mapping.require_fits(env_id, vector.single_action_space)
        _require_seen(context, vector.single_observation_space)
        if mapping.squash != "none":
            vector = MappedVectorActions(vector, mapping)
        if (choice := context.get("candidates")) is not None:
            sampler = sampler_of(choice["base"], run_module=True)
            vector = CandidateVectorEnv(vector, sampler, choice["count"])
        counted = CountingViolations(vector)
        given = context.get("constraint", {"name": "unconstrained"})
        constraint = constraint_from_json(given, run_module=True)
        return BudgetVectorEnv(counted, constraint) if constraint.state_size else counted


def _require_seen(context: Mapping[str, Any], space: gym.spaces.Space[Any]) -> None:
    """Refuse observations that the policy was not made for, where the context has it."""
    if "flattening" not in context:
        return
    given = context["flattening"]
    mine = None if given is None else Flattening.model_validate(given)
    require_same_observations(context["env_id"], mine, flattening_of(space))


def _vector(context: Mapping[str, Any]) -> AnyVectorEnv:
    """The author's own vector environment, or copies of the single one.

    Copies, too, where episodes are cut: only they can be cut without being told, they and the
    slots of a tensor environment. Where episodes end by the property an author's own vector
    environment serves if it has a method ``end`` (see ``VectorEndsWhenViolated``).
    """
    env_id, kwargs, count = context["env_id"], dict(context["kwargs"]), context["num_envs"]
    cut_after, formula = context.get("cut_after"), context.get("ends_when_violated")
    with telling_what_failed(env_id):
        native = vector_creator(env_id)
        in_tensors = is_tensor_environment(env_id)
    unendable = formula is not None and not callable(getattr(native, "end", None))
    if in_tensors:
        kwargs["cut_after"] = cut_after
    elif native is None or cut_after is not None or unendable:
        copies = make_copies(env_id, kwargs, count)
        return SyncVectorEnv([partial(_ended, one, context, CostAlone) for one in copies])
    if "horizon" in kwargs:
        kwargs.pop("max_episode_steps", None)  # a TimeLimit's; it keeps its horizon itself
    with telling_what_failed(env_id):
        vector = gym.make_vec(
            env_id, num_envs=count, vectorization_mode="vector_entry_point", **kwargs
        )
    mode = vector.metadata.get("autoreset_mode")
    if mode is not AutoresetMode.NEXT_STEP:
        raise ValueError(
            f"{env_id} resets by {mode}; RLlib is right only with AutoresetMode.NEXT_STEP"
        )
    if formula is not None:
        vector = VectorEndsWhenViolated(vector, formula, env_id)
    if (judged := context.get("judged")) is not None:
        vector = VectorJudged(vector, judged[0], judged[1], env_id)
    return vector


def _ended(
    made: Stepping,
    context: Mapping[str, Any],
    *around: Callable[[gym.Env[Any, Any]], gym.Env[Any, Any]],
) -> gym.Env[Any, Any]:
    """Truncate and end from outside: the environment sees the limit that it was made with alone."""
    env: gym.Env[Any, Any] = made
    if (cut_after := context.get("cut_after")) is not None:
        env = TimeLimit(env, cut_after)
    if (formula := context.get("ends_when_violated")) is not None:
        env = EndsWhenViolated(env, formula, made.fault)
    if (judged := context.get("judged")) is not None:
        env = Judged(env, judged[0], judged[1], made.fault)
    for wrap in around:
        env = wrap(env)
    return env
