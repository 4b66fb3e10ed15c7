"""Soft actor-critic on RLlib's, with a policy of this package as its actor.

For bases that stay smooth: the entropy of the *squashed* action is held at a target.
"""

from sport_ray.soft_actor_critic.algorithm import SoftActorCritic, SoftActorCriticConfig

__all__ = ["SoftActorCritic", "SoftActorCriticConfig"]
