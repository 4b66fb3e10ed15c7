"""By what candidates are chosen: one file per kind of score."""

from sport_ray.selection.scores.preference import Preference
from sport_ray.selection.scores.task_density import TaskDensity

__all__ = ["Preference", "TaskDensity"]
