"""A grid that is a list: every value once, in order, and not copied for each of the others."""

from __future__ import annotations

from typing import Any, Self

from ray import tune
from ray.tune.experiment import Experiment

from sport_ray.experiments.sweep.listed import Listed

VALUES = 50


class Counted:
    """Knows how often it was copied."""

    copies = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        Counted.copies += 1
        return self


def test_every_value_once_in_order_and_no_copy_of_all_for_each() -> None:
    values = [Counted(number) for number in range(VALUES)]
    space = {"shared": "study", "work": tune.grid_search(values)}
    search = Listed()
    search.add_configurations(Experiment("grid", lambda config: None, config=space))
    Counted.copies = 0
    trials = []
    while (trial := search.next_trial()) is not None:
        trials.append(trial)
    assert [trial.config["work"].number for trial in trials] == list(range(VALUES))
    assert {trial.config["shared"] for trial in trials} == {"study"}
    assert search.total_samples == VALUES
    assert Counted.copies <= 5 * VALUES  # Tune's own: VALUES²
