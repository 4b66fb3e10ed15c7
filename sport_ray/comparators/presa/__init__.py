"""A policy learned offline from preferences and safety labels of segments (arXiv 2512.20173).

Data: ``Segments`` (what was seen and done, pairs of them of which one is preferred, one safety
label each), from a file or from ``synthetic_feedback``. Learning: ``clone`` the data, then
``align`` the clone with the preferences under a constraint on the labels. No reward model, no cost
model and no promise: docs/comparators.md says what is the paper's and what was filled in here.
"""

from sport_ray.comparators.presa.behaviours import available_behaviours, require_behaviours
from sport_ray.comparators.presa.feedback import (
    FeedbackSettings,
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
from sport_ray.comparators.presa.settings import AlignmentSettings
from sport_ray.comparators.presa.training import align, clone, train_policy

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
