"""By what candidates are chosen: one file per kind of score."""

from sport_ray.selection.scores.atoms import Atoms
from sport_ray.selection.scores.critic import Critic
from sport_ray.selection.scores.critic_data import CriticData
from sport_ray.selection.scores.network import ScoreNetwork, ScoreSpec
from sport_ray.selection.scores.task_density import TaskDensity
from sport_ray.selection.scores.training import CriticOptions, spec_of, train_critic

__all__ = [
    "Atoms",
    "Critic",
    "CriticData",
    "CriticOptions",
    "ScoreNetwork",
    "ScoreSpec",
    "TaskDensity",
    "spec_of",
    "train_critic",
]
