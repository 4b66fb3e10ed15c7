"""Selection: draw M actions of the base, choose one with probabilities p_j ≤ α/M, play it.

The bound is that of a density ratio at most α, for any base that can be sampled and any way of
choosing (docs/bounds.md, section 9). ``Selector`` is a way of choosing, ``scores`` say by what,
``SelectionBehaviour`` is the choice under a constraint; ``task_policy`` reads, writes and plays
task policies of any kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.selection.behaviour import SelectionBehaviour
    from sport_ray.selection.score import SCORES, Score
    from sport_ray.selection.selector import Selector
    from sport_ray.selection.task_policy import (
        TaskPolicy,
        load_task_policy,
        network_of,
        save_task_policy,
        task_behaviour,
        task_policy_digest,
    )

_HOMES = {
    "SCORES": ".scores",  # where each is registered
    "Score": ".score",
    "SelectionBehaviour": ".behaviour",
    "Selector": ".selector",
    "TaskPolicy": ".task_policy",
    "load_task_policy": ".task_policy",
    "network_of": ".task_policy",
    "save_task_policy": ".task_policy",
    "task_behaviour": ".task_policy",
    "task_policy_digest": ".task_policy",
}

__all__ = [
    "SCORES",
    "Score",
    "SelectionBehaviour",
    "Selector",
    "TaskPolicy",
    "load_task_policy",
    "network_of",
    "save_task_policy",
    "task_behaviour",
    "task_policy_digest",
]

__getattr__ = names_from(__name__, _HOMES)
