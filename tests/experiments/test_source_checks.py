"""The checks of a source: ours pass, and each finds the mistake that it is for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from sport_ray.experiments import source_checks as checks
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.stages.base import BUNDLED
from sport_ray.experiments.task_policies import SOURCES, TaskPolicySource, Trained
from sport_ray.policies import PolicyNetwork
from sport_ray.testing import CheckFailed, check_source, source_case, source_checks


class SizeSection(Section):
    """Of these sources."""

    size: float = 0.01
    """How far the weights are moved. [1]"""


class NoUnitSection(Section):
    """A number, of what it does not say."""

    size: float = 0.01
    """How far the weights are moved."""


class Fine(TaskPolicySource):
    """The base, moved at random."""

    name = "fine"
    title = "Fine"
    settings = SizeSection
    promise = "none before it is evaluated"

    def train(self, task, settings, base, certificate):
        return Trained(self.moved(base, settings.size, task.seed), 0, 0.0, {"train_episodes": 0})

    def moved(self, base, size, seed):
        policy = PolicyNetwork(base.spec)
        policy.load_state_dict(base.state_dict())
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for value in policy.parameters():
                value.add_(size * torch.randn(value.shape, generator=generator))
        return policy


def variant(called: str, **changes: object) -> type[TaskPolicySource]:
    """A source like the fine one, with a mistake."""
    about = {
        "name": called,
        "title": called,
        "__module__": __name__,
        "__doc__": "One with a mistake.",
    }
    return type(called, (Fine,), about | changes)


def train_at_random(self, task, settings, base, certificate):
    seed = int(torch.randint(2**31, ()))
    return Trained(self.moved(base, settings.size, seed), 0, 0.0, {})


def train_the_base_itself(self, task, settings, base, certificate):
    with torch.no_grad():
        next(base.parameters()).add_(1e-3)
    return Trained(self.moved(base, settings.size, task.seed), 0, 0.0, {})


def train_to_nan(self, task, settings, base, certificate):
    return Trained(self.moved(base, float("nan"), task.seed), 0, 0.0, {})


def count_in_tensors(self, task, settings, base, certificate):
    metrics = {"train_return": torch.tensor(1.0)}
    return Trained(self.moved(base, settings.size, task.seed), 0, 0.0, metrics)


MISTAKES = {
    "NoTitle": (variant("NoTitle", title=" "), checks.it_says_what_it_is),
    "NoUnit": (variant("NoUnit", settings=NoUnitSection), checks.its_settings_are_documented),
    "NoIdentity": (
        variant("NoIdentity", identity=lambda self, settings: {}),
        checks.settings_are_in_the_identity,
    ),
    "Random": (variant("Random", train=train_at_random), checks.the_seed_decides),
    "Changes": (variant("Changes", train=train_the_base_itself), checks.its_policy_fits_the_base),
    "Nan": (variant("Nan", train=train_to_nan), checks.its_policy_fits_the_base),
    "Tensors": (variant("Tensors", train=count_in_tensors), checks.what_it_took_is_counted),
}


@pytest.fixture(scope="module", autouse=True)
def gone_afterwards() -> Iterator[None]:
    yield
    for name in [one for one in SOURCES if one.startswith(f"{__name__}:")]:
        del SOURCES[name]


def test_one_without_a_mistake_passes_all() -> None:
    assert len(check_source(f"{__name__}:fine", {"size": 0.02})) == len(source_checks())


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    source, check = MISTAKES[name]
    with pytest.raises(CheckFailed) as error:
        check(source_case(source.name))
    assert "\n" not in str(error.value)


def test_ours_that_trains_nothing_passes() -> None:
    check_source("imported", {"path": str(BUNDLED / "paper_bang_bang")})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["unconstrained", "projected_ppo"])
def test_ours_that_trains_by_ppo_passes(name: str) -> None:
    check_source(name)


@pytest.mark.slow
def test_ours_that_makes_a_switch_passes() -> None:
    few = {"hand_overs": 60, "updates": 20, "num_scenarios": 40, "thresholds": [0.2, 1.0]}
    check_source("simplex", few)
