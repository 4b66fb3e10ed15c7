"""The fronts on the terminal: by the measure that the settings have."""

from __future__ import annotations

from sport_ray.tracking import load_results
from sport_ray.tracking.analysis.pareto_table import print_pareto
from sport_ray.tracking.console import PlainConsole


def test_where_every_setting_has_a_seed_without_the_goal_returns_are_compared(
    make_results, capsys
) -> None:
    """Some cells have a time to goal, and no setting has."""

    def lost(record: dict) -> dict:
        return record | {
            "mean_return": -5.0 - record["seed"],
            **({"mean_steps_to_goal": None} if record["seed"] == 0 else {}),
        }

    print_pareto(PlainConsole(), load_results(make_results(seeds=(0, 1), change=lost)))
    assert "return" in capsys.readouterr().out
