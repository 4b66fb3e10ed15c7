"""Settings of a critic that is learned in rounds."""

from __future__ import annotations

from sport_ray.experiments.config.base import Positive
from sport_ray.experiments.task_policies.critic import CriticSection


class CriticIteratedSection(CriticSection):
    """As for `critic`, and how it goes on from there."""

    rounds: Positive = 1
    """Times that scenarios are run under the cell's constraint and all is learned again.
    [rounds]"""
    scenarios: Positive = 2_000
    """Scenarios of a round, all of which keep the cell's promise. [scenarios]"""
    refit_updates: Positive = 4_000
    """Gradient steps of a round. [gradient steps]"""
