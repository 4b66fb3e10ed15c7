"""A constraint that a user defines is deployed, logged and audited like those of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from sport_ray.constraints import CONSTRAINTS, Evidence, RatioConstraint
from sport_ray.deploy import audit_log, load, read_bundle
from sport_ray.deploy.export import Export, write_bundle
from sport_ray.errors import UserError


@pytest.fixture
def kind() -> Iterator[type[RatioConstraint]]:
    before = dict(CONSTRAINTS)

    @dataclass(frozen=True)
    class FewSteps(RatioConstraint):
        """The ratio α in the first ``steps`` of an episode, the base policy from then on."""

        steps: int = 3
        name: ClassVar[str] = "few_steps"
        title: ClassVar[str] = "a few steps"
        formula: ClassVar[str] = "ε_base · α^k"
        state_size: ClassVar[int] = 1

        def limits(self, state: np.ndarray) -> np.ndarray:
            return np.where(state[:, 0] < self.steps, self.log_alpha, 0.0)

        def spend(self, state: np.ndarray, cost: np.ndarray) -> np.ndarray:
            return state + 1.0

        def prior_bound(self, evidence: Evidence) -> float:
            return evidence.eps_base * self.alpha ** min(self.steps, evidence.horizon)

    yield FewSteps
    CONSTRAINTS.clear()
    CONSTRAINTS.update(before)


def test_it_goes_out_acts_and_is_audited(
    kind: type[RatioConstraint], export_of: Callable[..., Export], observations: np.ndarray,
    tmp_path: Path,
) -> None:  # fmt: skip
    write_bundle(tmp_path / "bundle", export_of("ratio", constraint=kind(alpha=1.2)))
    policy = load(tmp_path / "bundle", log=tmp_path / "log.jsonl")
    assert policy.promise["theorem"] == "a few steps: ε_base · α^k"
    policy.reset(1)
    ratios = []
    for row in observations[:6]:
        policy.act(row)
        assert policy.last is not None
        ratios.append(policy.last.max_log_ratio)
    assert all(0.0 < ratio <= np.log(1.2) for ratio in ratios[:3])
    assert ratios[3:] == [0.0] * 3
    known = policy.close()
    checks = audit_log(tmp_path / "log.jsonl", read_bundle(tmp_path / "bundle"), known)
    assert all(check.passed for check in checks), checks


def test_where_nobody_has_defined_it_the_bundle_says_so(
    kind: type[RatioConstraint], export_of: Callable[..., Export], tmp_path: Path
) -> None:
    write_bundle(tmp_path / "bundle", export_of("ratio", constraint=kind(alpha=1.2)))
    del CONSTRAINTS[kind.name]
    with pytest.raises(
        UserError,
        match=r":few_steps' is defined in the module .* not imported because a file names it",
    ):
        load(tmp_path / "bundle")


def test_a_class_that_never_says_no_is_held_to_the_limit_that_it_states(
    kind: type[RatioConstraint], export_of: Callable[..., Export], observations: np.ndarray,
    tmp_path: Path,
) -> None:  # fmt: skip
    """What is promised rests on ``log_ratio_limit``; its own ``within`` is not taken for it."""

    @dataclass(frozen=True)
    class Careless(kind):  # type: ignore[misc,valid-type]
        name: ClassVar[str] = "careless"

        def project(self, base: Any, task: Any, limits: Any = None) -> Any:
            return task

        def within(self, step: Any, base: Any, limits: Any) -> torch.Tensor:
            return torch.ones(len(step), dtype=torch.bool)

    write_bundle(tmp_path / "bundle", export_of("ratio", constraint=Careless(alpha=1.001)))
    policy = load(tmp_path / "bundle", on_breach="base")
    policy.reset(1)
    for row in observations[:6]:
        policy.act(row)
        assert policy.last is not None
        assert policy.last.played == "base"
