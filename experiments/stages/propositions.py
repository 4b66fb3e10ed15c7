"""Before a stage begins: the environment gives every proposition that the property names."""

from __future__ import annotations

from contextlib import closing

from sport_ray.envs.declared import declared_by
from sport_ray.envs.faults import telling_what_failed
from sport_ray.envs.making import creator_of, environment_spec, make_environment
from sport_ray.experiments.config.study import Study
from sport_ray.properties import parse_property
from sport_ray.properties.propositions import require_given
from sport_ray.rollouts.environment import POINT_REACH_AVOID, told_signals


def require_propositions(study: Study) -> None:
    """Refuse a property over signals that the environment does not give.

    What declares its signals (``sport_ray.envs.declared``) is taken at its word where that is
    enough; another environment is made and reset once, and no step of it is taken.

    Raises:
        UserError: naming the unknown proposition, those known, and the nearest one; an
            environment that cannot be made or reset.
    """
    asked = study.environment
    if asked.id == POINT_REACH_AVOID:
        return  # told when the study was read
    needed = parse_property(study.property).signal_names
    with telling_what_failed(asked.id):
        known = set(declared_by(creator_of(environment_spec(asked.id))) or ())
    if known >= set(needed):
        return
    with closing(make_environment(asked.id, asked.kwargs, study.certificate.max_horizon)) as made:
        known |= set(declared_by(made) or ())
        if not known >= set(needed):
            _, info = made.reset(seed=0)
            known |= set(told_signals(made, info))
    require_given(study.property, needed, known, asked.id)
