"""A policy learned offline from preferences and safety labels of segments (arXiv 2512.20173).

Data: ``Segments`` (what was seen and done, pairs of them of which one is preferred, one safety
label each), from a file or from ``synthetic_feedback``. Learning: ``clone`` the data, then
``align`` the clone with the preferences under a constraint on the labels. No reward model, no cost
model and no promise: docs/comparators.md says what is the paper's and what was filled in here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sport_ray.lazy import names_from

if TYPE_CHECKING:
    from sport_ray.comparators.presa.behaviours import available_behaviours, require_behaviours
    from sport_ray.comparators.presa.feedback import (
        collect_episodes,
        feedback_on,
        synthetic_feedback,
    )
    from sport_ray.comparators.presa.segments import (
        Segments,
        load_segments,
        make_segments,
        save_segments,
        segments_digest,
    )
    from sport_ray.comparators.presa.settings import AlignmentSettings, FeedbackSettings
    from sport_ray.comparators.presa.training import align, clone, train_policy

_HOMES = {
    "AlignmentSettings": ".settings",
    "FeedbackSettings": ".settings",
    "Segments": ".segments",
    "align": ".training",
    "available_behaviours": ".behaviours",
    "clone": ".training",
    "collect_episodes": ".feedback",
    "feedback_on": ".feedback",
    "load_segments": ".segments",
    "make_segments": ".segments",
    "require_behaviours": ".behaviours",
    "save_segments": ".segments",
    "segments_digest": ".segments",
    "synthetic_feedback": ".feedback",
    "train_policy": ".training",
}

__all__ = [
    "AlignmentSettings",
    "FeedbackSettings",
    "Segments",
    "align",
    "available_behaviours",
    "clone",
    "collect_episodes",
    "feedback_on",
    "load_segments",
    "make_segments",
    "require_behaviours",
    "save_segments",
    "segments_digest",
    "synthetic_feedback",
    "train_policy",
]

__getattr__ = names_from(__name__, _HOMES)
