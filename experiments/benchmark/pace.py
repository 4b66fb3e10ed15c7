"""What a step of a task's environment takes on this machine, timed with random actions."""

from __future__ import annotations

import time
from contextlib import closing

from sport_ray.envs.making import make_environment
from sport_ray.experiments.config.study import Study
from sport_ray.rollouts.environment import steps_together

CPU_SECONDS = 0.3
"""How long whole episodes are run for, at least, so that resets have their share."""


def pace_of(study: Study) -> float:
    """CPU seconds of one step, resets included; 0 where one call steps hundreds of copies.

    Raises:
        UserError: an environment that cannot be made, or fails.
    """
    asked, horizon = study.environment, study.certificate.max_horizon
    if steps_together(asked.id):
        return 0.0
    with closing(make_environment(asked.id, asked.kwargs, horizon)) as made:
        made.action_space.seed(0)
        made.reset(seed=0)  # what is made once is no part of a step
        steps, begun = 0, time.process_time()
        while time.process_time() < begun + CPU_SECONDS:
            made.reset()
            over = False
            while not over:
                _, _, terminated, truncated, _ = made.step(made.action_space.sample())
                over = terminated or truncated
                steps += 1
        return (time.process_time() - begun) / steps
