"""Checks of a source of task policies: what cells, records and the sweep rely on.

Public as ``sport_ray.testing.source_checks``; see there.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sport_ray.errors import UserError
from sport_ray.experiments.config.base import Section
from sport_ray.experiments.task_policies.source import (
    SelectionSource,
    Source,
    TaskPolicySource,
    require_alike,
    source_class,
)
from sport_ray.testing.checking import Check, CheckFailed, require, run

if TYPE_CHECKING:
    from sport_ray.certificates import Certificate
    from sport_ray.constraints import Constraint
    from sport_ray.experiments.config.study import Study
    from sport_ray.experiments.task_policies._training import Trained
    from sport_ray.policies import PolicyFile
    from sport_ray.selection import TaskPolicy

HORIZON = 21
AIM = 0.1
"""The risk of sources that aim at one."""


@dataclass(frozen=True)
class SourceCase:
    """A source in a study, and what its policies are made from.

    study: one that names the source, with settings that take seconds. base, certificate: of the
    study's environment and property. transitions: the file that a certificate kept, for sources
    that choose among samples. constraint: for a source that trains under one.
    """

    name: str
    study: Study
    base: PolicyFile
    certificate: Certificate
    horizon: int = HORIZON
    transitions: Path = Path("no_transitions_were_kept")
    constraint: Constraint | None = None

    @property
    def source(self) -> Source:
        """The source, as a sweep makes it for every policy."""
        return source_class(self.name)()

    def trained(self, seed: int = 0) -> Trained:
        """A policy of the source, as a job makes it."""
        source = self.source
        constraint = self.constraint if source.under_constraint else None
        aim = AIM if source.targets_risk else None
        task = self.study.task(self.horizon, seed, constraint, eps_max=aim)
        settings = source.settings_in(self.study, ())
        source.require(task, settings, self.base)
        if isinstance(source, SelectionSource):
            return source.select(task, settings, self.base, self.certificate, self.transitions)
        if not isinstance(source, TaskPolicySource):
            raise CheckFailed("it derives neither from TaskPolicySource nor from SelectionSource")
        return source.train(task, settings, self.base.network, self.certificate)


def source_case(
    name: str, settings: Mapping[str, Any] | None = None, *, base: str = "point_reach_avoid"
) -> SourceCase:
    """A source with settings in a small study of the point robot, with a base that ships.

    name: as a study has it, ``module:name`` or an entry point's. constraint: a ratio of 1.1.

    Raises:
        UserError: an unknown source, or settings that it does not take.
    """
    from sport_ray.certificates import load_certificate
    from sport_ray.constraints import RatioConstraint
    from sport_ray.experiments.config.study import parse_study
    from sport_ray.experiments.stages.base import BUNDLED
    from sport_ray.policies import load_policy

    aims = {"eps_max": [AIM]} if source_class(name).targets_risk else {}
    sections = {
        "name": "checks",
        "base": base,
        "sweep": {"alphas": [1.1], "horizons": [HORIZON], "seeds": [0], **aims},
        "training": {"env_steps": 512, "warmup_env_steps": 128, "train_batch_size": 256,
                     "minibatch_size": 64, "num_envs": 8},
        "task_policies": {name: dict(settings or {})},
    }  # fmt: skip
    study = parse_study(sections, f"task policy {name!r}")
    return SourceCase(
        name=source_class(name).name,
        study=study,
        base=load_policy(BUNDLED / base),
        certificate=load_certificate(BUNDLED / base / "certificate.json"),
        constraint=RatioConstraint(1.1),
    )


def it_says_what_it_is(case: SourceCase) -> None:
    """A title, a promise in words, a docstring, and a family that is known."""
    from sport_ray.families import family_named

    kind = type(case.source)
    for attribute in ("title", "promise", "__doc__"):
        text = getattr(kind, attribute)
        require(isinstance(text, str) and text.strip(), f"{attribute} is {text!r}")
    require(kind.__doc__ != Source.__doc__, "it has no docstring of its own")
    require(issubclass(kind.settings, Section), "settings is no Section")
    if kind.family is not None:  # the base's
        family_named(kind.family, run_module=True)


def its_settings_are_documented(case: SourceCase) -> None:
    """A meaning under each key, and the unit of each number in brackets: ``[steps]``."""
    from sport_ray.experiments.config.reference import rows

    for key, kind, unit, _, meaning in rows(type(case.source).settings):
        require(len(meaning.split()) >= 2, f"nothing stands under {key} that says what it is")
        require("number" not in kind or unit, f"{key} has no unit: end its docstring with [unit]")


def a_study_is_read_as_it_was_written(case: SourceCase) -> None:
    """The study goes to JSON and back, and its source's cells keep their identity."""
    from sport_ray.experiments.config.study import parse_study

    before = _identity(case)
    again = parse_study(case.study.model_dump(mode="json"), "the study as JSON")
    after = _identity(replace(case, study=again))
    require(before == after, "the identity of its cells is another one once the study was written")
    try:
        json.dumps(before, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"its identity is no JSON: {error}") from None


def settings_are_in_the_identity(case: SourceCase) -> None:
    """A policy is found again by what it depends on: settings with other values are another's."""
    own = case.study.task_policies and case.study.task_policies.get(case.name)
    if not isinstance(own, Section):
        return
    for name, value in own.model_dump().items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        for other in (value + 1, value / 2, value * 2):
            try:
                changed = type(own).model_validate({**own.model_dump(), name: other})
            except ValueError:
                continue
            policies = {**(case.study.task_policies or {}), case.name: changed}
            study = case.study.model_copy(update={"task_policies": policies})
            if changed != own:
                found = _identity(replace(case, study=study))
                require(found != _identity(case), f"{name} is not in the identity of its cells")
                break


def the_seed_decides(case: SourceCase) -> None:
    """The same task gives the same policy, whatever this process drew before."""
    import torch

    digests = []
    for disturbed in (1, 2):
        random.seed(disturbed)
        np.random.seed(disturbed)
        torch.manual_seed(disturbed)
        digests.append(_digest(case.trained().policy))
    require(
        digests[0] == digests[1], "two runs with one seed give two policies: draw from task.seed"
    )


def its_policy_fits_the_base(case: SourceCase) -> None:
    """Sizes and action mapping are the base's; all weights are finite; the base is as before."""
    import torch

    from sport_ray.policies import policy_digest
    from sport_ray.selection import Selector, network_of

    before = policy_digest(case.base.network)
    trained = case.trained()
    require(policy_digest(case.base.network) == before, "it changed the base policy")
    if isinstance(trained.policy, Selector):
        require(isinstance(case.source, SelectionSource), "a selector comes from a SelectionSource")
        return
    network = network_of(trained.policy)
    if network is None:
        raise CheckFailed(f"its policy is a {type(trained.policy)}")
    budget = case.constraint.num_features if case.source.under_constraint and case.constraint else 0
    try:
        require_alike(network, case.base.network, "its policy", budget)
    except UserError as error:
        raise CheckFailed(str(error)) from None
    finite = all(bool(torch.isfinite(one).all()) for one in network.parameters())
    require(finite, "a weight of its policy is not finite")


def what_it_took_is_counted(case: SourceCase) -> None:
    """Environment steps, seconds and metrics are plain numbers that a record can hold."""
    trained = case.trained()
    require(type(trained.env_steps) is int and trained.env_steps >= 0, "env_steps is no count")
    seconds = trained.seconds
    require(isinstance(seconds, float) and 0.0 <= seconds < math.inf, f"seconds is {seconds!r}")
    for name, value in trained.metrics.items():
        plain = value is None or (type(value) in (int, float) and math.isfinite(value))
        require(plain, f"the metric {name!r} is {value!r}: give a finite int or float, or None")
    episodes = trained.metrics.get("train_episodes")
    violations = trained.metrics.get("train_violations")
    if episodes is not None and violations is not None:
        require(0 <= violations <= episodes, f"{violations} of {episodes} episodes violated")


def source_checks() -> list[Check[SourceCase]]:
    """All checks of a source, each a function of ``SourceCase``."""
    return [
        it_says_what_it_is,
        its_settings_are_documented,
        a_study_is_read_as_it_was_written,
        settings_are_in_the_identity,
        the_seed_decides,
        its_policy_fits_the_base,
        what_it_took_is_counted,
    ]


def check_source(
    name: str | SourceCase, settings: Mapping[str, Any] | None = None, **options: Any
) -> list[str]:
    """Run every check on a source; the names of the checks. It trains four times.

    name: as a study has it, with settings and options as for ``source_case``; or a case.

    Raises:
        CheckFailed: one line with the check and what it found.
    """
    case = name if isinstance(name, SourceCase) else source_case(name, settings, **options)
    return run(source_checks(), case)


def _identity(case: SourceCase) -> dict[str, Any]:
    return case.source.cell_identity(case.study, ())


def _digest(policy: TaskPolicy) -> str:
    from sport_ray.selection import task_policy_digest

    return task_policy_digest(policy)
