"""By what candidates are chosen: ``TaskDensity``, ``Critic`` and ``Preference``.

A critic is a network with a law of the return for each candidate (``atoms``, ``network``, and
``kernel``, the same compiled), what turns the laws into weights (``rules``), and how it is learned
from scenarios of the base (``from_scenarios``, ``critic_data``, ``training``).
"""

from sport_ray.selection.score import SCORES
from sport_ray.selection.scores.atoms import Atoms
from sport_ray.selection.scores.critic import Critic
from sport_ray.selection.scores.critic_data import CriticData
from sport_ray.selection.scores.network import ScoreNetwork, ScoreSpec
from sport_ray.selection.scores.preference import Preference
from sport_ray.selection.scores.task_density import TaskDensity
from sport_ray.selection.scores.training import CriticOptions, spec_of, train_critic

__all__ = [
    "SCORES",
    "Atoms",
    "Critic",
    "CriticData",
    "CriticOptions",
    "Preference",
    "ScoreNetwork",
    "ScoreSpec",
    "TaskDensity",
    "spec_of",
    "train_critic",
]
