"""Selection by a critic of the selection itself: what follows if the choice goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sport_ray.constraints import Unconstrained
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.task_policies._rounds import CriticIteratedSection
from sport_ray.experiments.task_policies.source import SelectionSource

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.experiments.task_policies.task import Task
    from sport_ray.samplers import BaseFile


class CriticIteratedSource(SelectionSource):
    """Policy iteration: the base's critic, then that of the choice within the constraint.

    Under a constant ratio the critic learns what follows if the selection goes on; under a budget
    it stays a critic of the base, with steps where the selection gets to. On the point robot that
    gained nothing measurable over `critic`: 0.00 ± 0.01 steps under a constant ratio, two seeds.
    """

    name = "critic_iterated"
    title = "Selection, iterated critic"
    settings: ClassVar[type[Section]] = CriticIteratedSection
    promise = "its constraint's prior bound, as it is only ever used projected"
    needs_transitions = True
    under_constraint = True
    in_training = "its constraint"

    def steps(self, settings: Section, horizon: int) -> int:
        """Those of all rounds."""
        most = self.most_episodes(settings)
        assert most is not None
        return most * horizon

    def most_episodes(self, settings: Section) -> int | None:
        """Those of all rounds."""
        assert isinstance(settings, CriticIteratedSection)
        return settings.rounds * settings.scenarios

    def select(
        self,
        task: Task,
        settings: Section,
        base: BaseFile,
        certificate: Certificate,
        transitions: Path,
    ) -> Trained:
        """Learn the base's critic from the kept transitions, then act by it and learn again."""
        from sport_ray.experiments.task_policies._critic import learn, options_of
        from sport_ray.experiments.task_policies._iteration import iterate
        from sport_ray.experiments.task_policies._training import Trained  # Ray takes seconds
        from sport_ray.selection import Selector
        from sport_ray.selection.scores.critic import Critic

        assert isinstance(settings, CriticIteratedSection)
        if isinstance(task.constraint, Unconstrained):
            raise ValueError(f"the task has no constraint: {self.name} acts under a cell's own")
        started = time.monotonic()
        options = options_of(settings)
        learned = learn(task, base, certificate, transitions, options, settings.draws)
        found = iterate(task, settings, learned, options)
        score = Critic(found.network, settings.rule, settings.sharpness)
        metrics: dict[str, float | int | None] = {
            "train_episodes": found.episodes,
            "train_violations": found.violations,
            "critic_loss": found.loss,
            "critic_scenarios": learned.num_scenarios + found.episodes,
        }
        seconds = time.monotonic() - started
        selector = Selector(settings.candidates, score)
        return Trained(selector, found.env_steps, seconds, metrics, found.episodes, found.curves)
