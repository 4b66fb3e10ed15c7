"""The base policy of a study: shipped, given as a folder, or trained here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch

from sport_ray.canonical import write_atomic
from sport_ray.envs.described_spaces import AnySpace, BoxSpace, DictSpace, TupleSpace
from sport_ray.envs.flatten import Flattening, flattening_of, require_same_observations
from sport_ray.envs.making import make_environment
from sport_ray.envs.spaces import action_size_of, indices_of
from sport_ray.errors import UserError
from sport_ray.experiments.config.paths import exists, user_path
from sport_ray.experiments.config.study import Study
from sport_ray.experiments.config.training import (
    AcceptSection,
    BaseTrainingSection,
    SACBaseTrainingSection,
)
from sport_ray.experiments.results.folder import StudyFolder
from sport_ray.experiments.stages.accept_base import Checkpoint, Run, train_until_accepted
from sport_ray.experiments.stages.base_statistics import statistics_of
from sport_ray.experiments.task_policies._soft_actor_critic import sac_config
from sport_ray.experiments.task_policies._training import (
    Progress,
    Trained,
    TrainingRun,
    check_spaces,
    ppo_config,
    summary,
    training_cut,
    training_kwargs,
)
from sport_ray.policies import PolicyFile, PolicyNetwork, PolicySpec, policy_digest
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.convolution import Convolution
from sport_ray.policies.store import MANIFEST, WEIGHTS
from sport_ray.properties import parse_property
from sport_ray.rollouts import base_behaviour
from sport_ray.rollouts.base_statistics import BaseStatistics
from sport_ray.rollouts.transitions import collect_transitions
from sport_ray.samplers import (
    BaseFile,
    SamplerFile,
    SamplerSpec,
    UserSampler,
    base_digest,
    read_base,
    sampler_of,
    save_sampler,
)
from sport_ray.samplers.base_file import SAMPLER
from sport_ray.samplers.entry import is_entry
from sport_ray.samplers.loaded import require_as_imported
from sport_ray.samplers.trial import require_exchangeable, require_sampler
from sport_ray.selection import save_task_policy
from sport_ray.sources import module_sources

SCENARIOS, STATES = 2, 4
"""Of the certificate: where it is tried whether many actions are drawn as one is."""

BUNDLED = Path(__file__).resolve().parents[1] / "bases"
BENCHMARK = "benchmark/"
BENCHMARK_BASES = Path(__file__).resolve().parents[1] / "benchmark" / "bases"


def bundled_bases() -> list[str]:
    """Names of the base policies that ship with the package."""
    return sorted(path.name for path in BUNDLED.iterdir() if path.is_dir())


def find_base(name: str, study_path: Path | None) -> Path | None:
    """The folder that a base's name means: shipped, or relative to the study file; or None.

    benchmark/TASK/BASE is one of the benchmark's, wherever the study file lies, if it has that.
    """
    if name in bundled_bases():
        return BUNDLED / name
    shipped = BENCHMARK_BASES / name.removeprefix(BENCHMARK)
    if name.startswith(BENCHMARK) and (shipped / MANIFEST).is_file():
        return shipped
    parent = Path() if study_path is None else Path(study_path).parent
    folder = parent / user_path(name)
    if name.startswith(BENCHMARK) and not (
        (folder / MANIFEST).is_file() or (folder / SAMPLER).is_file()
    ):
        return None  # the results of `sport-ray bench --results benchmark` are no bases
    return folder if exists(folder, f"base policy {name!r}") else None


def load_base(study: Study, name: str, study_path: Path | None) -> BaseFile:
    """The base policy of that name, if it fits the study's environment.

    A sampler is tried once in the environment's first state.

    Raises:
        UserError: no such base, a damaged one, or one of another shape.
    """
    if is_entry(name):
        return _user_sampler(study, name)
    source = find_base(name, study_path)
    if source is None:
        raise UserError(
            f"base policy {name!r} does not exist: give a folder, one of "
            f"{', '.join(bundled_bases())}, a sampler of yours (module:name), or train one with "
            "`sport-ray train-base`"
        )
    base = read_base(source)
    _check_fits(base, study)
    return base


def _user_sampler(study: Study, entry: str) -> SamplerFile:
    observation, action = environment_sizes(study)
    seen, taken = _spaces(study)
    whole = indices_of(taken)
    spec = SamplerSpec(
        entry=entry,
        arguments=study.base_arguments if entry == study.base else {},
        observation_size=observation,
        action_size=action,
        flattening=flattening_of(seen),
        first=None if whole is None else tuple(whole[0]),
        sizes=None if whole is None else tuple(whole[1]),
    )
    asked = study.environment
    with closing(make_environment(asked.id, asked.kwargs, study.certificate.max_horizon)) as made:
        start, _ = made.reset(seed=0)
    require_sampler(UserSampler(spec, run_module=True), np.asarray(start, dtype=np.float64).ravel())
    # After it was run: what it imports meanwhile is then loaded.
    sources = module_sources(spec.module, spec.arguments)
    code = {name: digest for name, digest in sources.code.items() if name != "sport_ray"}
    require_as_imported(entry, code)
    spec = spec.model_copy(update={"code": code})
    provenance = {"versions": sources.distributions}
    return SamplerFile(spec, base_digest(spec), provenance)


def require_choosable(study: Study, base: BaseFile) -> None:
    """Refuse a sampler of the user's that draws many actions otherwise than one.

    Tried in some states of the certificate's first scenarios, at each number of candidates that
    the study's sources choose among.

    Raises:
        UserError: a recurrent base, or see ``require_exchangeable``.
    """
    sections = (study.task_policies or {}).values()
    counts: set[int] = {one.candidates for one in sections if hasattr(one, "candidates")}
    if counts and isinstance(base, PolicyFile) and base.network.spec.memory_size:
        raise UserError(
            "the base policy is recurrent, and a choice among its samples needs its law at one "
            "observation: give a task policy without memory (task_policies: imported), or write "
            "the policy as a sampler whose memory is in the observation"
        )
    if not isinstance(base, SamplerFile) or not counts:
        return
    plan = study.task(study.certificate.max_horizon, 0).plan("certify", study.certificate.root_seed)
    seen, _ = collect_transitions(plan, base_behaviour(base, run_module=True), 0, SCENARIOS)
    chosen = np.linspace(0, len(seen) - 1, STATES).round().astype(np.int64)
    sampler = sampler_of(base, run_module=True)
    for count in sorted(counts):
        observations = seen.observation[chosen].astype(np.float64)
        require_exchangeable(sampler, observations, count, base.spec.entry)


def _check_fits(base: BaseFile, study: Study) -> None:
    if isinstance(base, SamplerFile):
        base.require_unchanged()
        sizes = (base.spec.observation_size, base.spec.action_size)
        if sizes != environment_sizes(study):
            raise UserError(
                f"base sampler {base.spec.entry!r} was kept for {sizes[0]} observations and "
                f"{sizes[1]} actions, {study.environment.id} has {environment_sizes(study)}: "
                "choose another folder with --results"
            )
        require_same_observations(
            study.environment.id, base.spec.flattening, flattening_of(_spaces(study)[0])
        )
        return
    env_id, (observations, actions) = study.environment.id, _spaces(study)
    require_same_observations(env_id, base.network.spec.flattening, flattening_of(observations))
    check_spaces(base.network, *environment_sizes(study), env_id)
    base.network.spec.action_mapping.require_fits(env_id, actions)


def environment_sizes(study: Study) -> tuple[int, int]:
    """Sizes (observation, action) of the study's environment.

    Raises:
        UserError: an environment that cannot be made, or whose spaces are not vectors.
    """
    observation, action = _spaces(study)
    return int(np.prod(observation.shape or ())), action_size_of(action)


def _spaces(study: Study) -> tuple[gym.spaces.Space[Any], gym.spaces.Space[Any]]:
    asked = study.environment
    with closing(make_environment(asked.id, asked.kwargs, study.certificate.max_horizon)) as made:
        return made.observation_space, made.action_space


def install_base(folder: StudyFolder, study_path: Path | None, name: str) -> BaseFile:
    """Copy the base of that name into the result folder (once) and check that it fits.

    Raises:
        UserError: no such base, a damaged one, one of another shape, or another one than the
            result folder already holds.
    """
    own = is_entry(name)
    source = None if own else find_base(name, study_path)
    present = any((folder.base / one).is_file() for one in (MANIFEST, SAMPLER))
    if source is None and present and not own:
        base = read_base(folder.base)
        _check_fits(base, folder.study)
    else:
        base = load_base(folder.study, name, study_path)
    if present and (kept := read_base(folder.base)).digest != base.digest:
        raise UserError(
            f"result folder {folder.root} was made with another base policy"
            f"{_difference(kept, base)}: choose another folder with --results"
        )
    folder.claim(study_path)  # nothing is written before everything is found to fit
    if isinstance(base, SamplerFile):
        if not present:
            save_sampler(folder.base, base.spec, base.provenance)
    elif source is not None and not present:
        for file in (WEIGHTS, MANIFEST):
            write_atomic(folder.base / file, (source / file).read_bytes())
    return base


def _difference(kept: BaseFile, base: BaseFile) -> str:
    """What makes a sampler another one than was kept, in words."""
    if not (isinstance(kept, SamplerFile) and isinstance(base, SamplerFile)):
        return ""
    old, new = kept.spec, base.spec
    if old.entry != new.entry:
        return f", {old.entry}"
    if old.arguments != new.arguments:
        return f", with base_arguments {old.arguments}"
    names = sorted(set(old.code) | set(new.code))
    other = [one for one in names if old.code.get(one) != new.code.get(one)]
    return f", before {', '.join(other)} changed" if other else ""


class MadeBase(NamedTuple):
    """A trained base, what it does in fresh scenarios, and how it was picked, if it was."""

    trained: Trained
    statistics: BaseStatistics
    checkpoints: list[Checkpoint] | None


def train_base(
    study: Study,
    progress: Progress | None = None,
    tell: Callable[[Checkpoint], None] | None = None,
) -> MadeBase:
    """Train a base policy from scratch, until the section's rule accepts it where there is one.

    tell: of each checkpoint that the rule looks at.

    Raises:
        UserError: no checkpoint is accepted.
    """
    settings = study.base_training or BaseTrainingSection()
    rule, checkpoints = settings.accept, None
    if rule is not None:
        _require_rule(study, rule)
    torch.set_num_threads(1)  # sums split over threads would not repeat to the bit
    torch.manual_seed(settings.seed)
    run = _run(study, settings)
    started = time.monotonic()
    try:
        if rule is None:
            run.advance(settings.env_steps, progress)
            policy = run.policy()
        else:
            plan = study.task(rule.horizon, 0).plan("base", settings.seed)
            policy, checkpoints = train_until_accepted(
                run, rule, plan, settings.env_steps, progress, tell
            )
    finally:
        run.stop()
    seconds = time.monotonic() - started
    trained = Trained(policy, run.env_steps, seconds, summary(run.result))
    base = PolicyFile(policy, policy_digest(policy), {})
    return MadeBase(trained, statistics_of(study, base, settings.seed), checkpoints)


def _run(study: Study, settings: BaseTrainingSection | SACBaseTrainingSection) -> Run:
    """A training run of a base, not begun yet.

    The point robot's reward is +1 at the goal, −0.25 on violation, and a tenth of the progress in
    metres, because the goal is not found by chance; another environment's is its own.
    """
    spec = first_spec(study, settings)
    task = study.task(settings.horizon, settings.seed)
    own = training_kwargs(task, reward="guided", ends=True, margin=settings.margin)
    env_kwargs, cut_after = {**own, **settings.kwargs}, training_cut(task)
    if isinstance(settings, SACBaseTrainingSection):
        return TrainingRun(
            sac_config(
                task,
                settings,
                "base_training",
                spec=spec,
                env_kwargs=env_kwargs,
                cut_after=cut_after,
            )
        )
    config = ppo_config(
        task,
        settings,
        env_kwargs=env_kwargs,
        base=None,
        start=PolicyNetwork(spec),
        warmup_env_steps=0,
        cut_after=cut_after,
    )
    config.training(entropy_target=settings.entropy_target, entropy_lr=settings.entropy_lr)
    return TrainingRun(config)


def first_spec(study: Study, settings: BaseTrainingSection | SACBaseTrainingSection) -> PolicySpec:
    """A tanh-squashed Gaussian; of whole numbers a categorical over each.

    Raises:
        UserError: actions that neither gives, or that the algorithm cannot learn.
    """
    observations, actions = environment_sizes(study)
    env_id, (seen, space) = study.environment.id, _spaces(study)
    sizes: dict[str, Any] = {
        "observation_size": observations,
        "action_size": actions,
        "hidden": settings.hidden,
        "flattening": flattening_of(seen),
        "convolution": _convolution(study, settings, flattening_of(seen)),
    }
    if (found := indices_of(space)) is None:
        spec = PolicySpec(**sizes)
        spec.action_mapping.require_fits(env_id, space)
        return spec
    if isinstance(settings, SACBaseTrainingSection):
        raise UserError(
            f"base_training.algorithm = sac squashes real actions, and {env_id} takes {space}: "
            "remove algorithm, so that PPO trains the base"
        )
    return PolicySpec(**sizes, **ActionMapping.of_indices(*found).to_json())


def _convolution(
    study: Study,
    settings: BaseTrainingSection | SACBaseTrainingSection,
    flattening: Flattening | None,
) -> Convolution | None:
    """What images go through before the linear layers, of a base that is to be trained.

    Raises:
        UserError: layers for observations that are no images, or that are larger than those; images
            for soft actor-critic, or among the parts of a Dict.
    """
    asked, env_id = settings.convolution, study.environment.id
    space = None if flattening is None else flattening.space
    image = isinstance(space, BoxSpace) and len(space.shape) == 3
    if asked and not image:
        raise UserError(
            f"base_training.convolution is for images, and {env_id} gives "
            f"{'vectors' if space is None else space}: remove it"
        )
    if asked is None and (part := _image_within(space, "observation")) is not None:
        raise UserError(
            f"{env_id} has an image among other parts of its observation, {part}, which no body "
            "here sees as one: give the image alone, or features of it, or set "
            "base_training.convolution: [] to take its pixels as plain numbers"
        )
    if asked == () or not image:
        return None
    assert isinstance(space, BoxSpace)
    found = Convolution.usual(space.shape, space.dtype, asked)
    if found is None:
        return None
    try:
        found.features(space.shape)
    except ValueError as error:
        raise UserError(f"base_training.convolution: {error}") from None
    if isinstance(settings, SACBaseTrainingSection):
        raise UserError(
            f"base_training.algorithm = sac has no critic for images, and {env_id} gives {space}: "
            "remove algorithm, so that PPO trains the base, or set convolution: []"
        )
    return found


def _image_within(space: AnySpace | None, at: str) -> str | None:
    """The first image among the parts of a Dict or Tuple, in words."""
    if isinstance(space, DictSpace):
        parts = [(f"{at}[{key!r}]", part) for key, part in space.spaces]
    elif isinstance(space, TupleSpace):
        parts = [(f"{at}[{index}]", part) for index, part in enumerate(space.spaces)]
    else:
        return None
    for where, part in parts:
        large = isinstance(part, BoxSpace) and len(part.shape) == 3 and _usual(part) is not None
        if large:
            return f"{where}: {part}"
        if (found := _image_within(part, where)) is not None:
            return found
    return None


def _require_rule(study: Study, rule: AcceptSection) -> None:
    """Refuse a rule that no policy of the study can meet.

    Raises:
        UserError: a T beyond T_max, or a property whose satisfaction takes no time, or does.
    """
    longest = study.certificate.max_horizon
    if rule.horizon > longest:
        raise UserError(
            f"base_training.accept.horizon = {rule.horizon} is beyond certificate.max_horizon "
            f"({longest}): lower it"
        )
    has_goal = parse_property(study.property).eventual_goal is not None
    if rule.steps is not None and not has_goal:
        raise UserError(
            "base_training.accept asks for a time to satisfaction, and the property "
            f"{study.property!r} has no goal to reach: give returns instead of steps"
        )
    if rule.returns is not None and has_goal:
        raise UserError(
            "base_training.accept asks for a return, and policies are compared by the time that "
            f"{study.property!r} takes: give steps instead of returns"
        )


def save_base(path: Path, study: Study, made: MadeBase, command: str) -> str:
    """Write a trained base with how it was made and what it does; its digest."""
    settings = study.base_training or BaseTrainingSection()
    provenance: dict[str, Any] = {
        "command": command,
        "environment": study.environment.model_dump(
            mode="json", exclude={"copies", "copies_per_process"}
        ),
        "training": settings.model_dump(mode="json", exclude_none=True),
        "env_steps": made.trained.env_steps,
        "statistics": made.statistics.to_json(),
    }
    if made.checkpoints is not None:
        provenance["checkpoints"] = [asdict(one) for one in made.checkpoints]
    return save_task_policy(path, made.trained.policy, provenance)


def _usual(space: BoxSpace) -> Convolution | None:
    """The convolution for an image of that kind; None where it is no image or too small."""
    return Convolution.usual(space.shape, space.dtype)
