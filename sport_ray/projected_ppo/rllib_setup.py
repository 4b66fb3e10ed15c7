"""What this package's algorithms ask of RLlib alike: its options, its environments, its weights."""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID

from sport_ray.policies.network import PolicyNetwork, PolicySpec, blank_network
from sport_ray.projected_ppo.environment import TrainingEnvironment, log_violations


def set_up_runners(config: Any) -> None:
    """RLlib's options by which the same seed gives the same numbers, and none is lost unseen."""
    config.num_env_runners = 0
    # RLlib would go on without a lost EnvRunner, or with one that begins its random numbers
    # again: other numbers under the same seed. An environment that raises is told, too.
    config.restart_failed_env_runners = False
    config.ignore_env_runner_failures = False
    config.restart_failed_sub_environments = False
    # The environment squashes: a connector that clips would deep-copy every action.
    config.normalize_actions = False
    config.clip_actions = False
    config.gym_env_vectorize_mode = "vector_entry_point"
    config.callbacks_on_sample_end = log_violations


def use_training_environment(config: Any, context: dict[str, Any]) -> None:
    """Put ``TrainingEnvironment`` in the place of the id that a user gave, or renew its context.

    context: what it is told beyond the task's own arguments.
    """
    if isinstance(config.env, str):
        config.env_config = {"env_id": config.env, "kwargs": dict(config.env_config), **context}
        config.env = TrainingEnvironment
    elif config.env is TrainingEnvironment:  # validated before; the context may be new since
        config.env_config = {**config.env_config, **context}


def actor_weights(learner_group: Any) -> dict[str, torch.Tensor]:
    """The weights of the module's ``actor`` as the learner has them now, by name."""
    state = learner_group.get_weights()[DEFAULT_MODULE_ID]
    return {
        name.removeprefix("actor."): torch.as_tensor(value)
        for name, value in state.items()
        if name.startswith("actor.")
    }


def trained_policy(learner_group: Any, spec: PolicySpec) -> PolicyNetwork:
    """A copy of the module's ``actor`` as the learner has it now."""
    network = blank_network(spec)
    network.load_state_dict(actor_weights(learner_group))
    return network
