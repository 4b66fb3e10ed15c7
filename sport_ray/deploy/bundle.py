"""A bundle on disk: policies, constraint and certificate in a folder, bound by sha256; no pickle.

manifest.json                the chain, and the sha256 of every other file
base/                        policy.json and policy.safetensors, or sampler.json
task/                        policy.json and policy.safetensors, or selector.json and .safetensors
certificate.json (.sig)      as certified
certificate_outcomes.parquet its table, for `sport-ray verify`
"""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sport_ray.certificates import Certificate
from sport_ray.certificates.store import certificate_from_bytes
from sport_ray.constraints import Constraint, constraint_from_json
from sport_ray.constraints.mixture import Mixture, is_mixture, mixture_from_json
from sport_ray.deploy.bundle_files import (
    CERTIFICATE,
    CODE,
    MANIFEST,
    PARTS,
    SAMPLER_FILES,
    SELECTOR_FILES,
    kind_of,
    read_file,
    read_manifest,
    required,
    task_folders,
)
from sport_ray.deploy.from_data import from_data_of
from sport_ray.deploy.observations import Bounds
from sport_ray.deploy.promise import How, Parts, Selection, require_promise
from sport_ray.deploy.seeds import Words, drawn_part
from sport_ray.deploy.world import require_near
from sport_ray.envs.flatten import Flattening
from sport_ray.errors import UserError
from sport_ray.families import Categorical, Distribution
from sport_ray.plugins import require_code
from sport_ray.policies import FrozenPolicy
from sport_ray.policies.actions import ActionMapping
from sport_ray.policies.store import policy_from_bytes
from sport_ray.policies.threads import one_thread
from sport_ray.rollouts.behaviour import (
    BaseBehaviour,
    Behaviour,
    ProjectedBehaviour,
    SamplerBehaviour,
)
from sport_ray.samplers import BaseSampler, PolicySampler, SamplerFile, UserSampler, sampler_of
from sport_ray.samplers.base_file import sampler_from_bytes
from sport_ray.selection import SelectionBehaviour, Selector
from sport_ray.selection.selector import selector_from_bytes
from sport_ray.text import plain

_DTYPES: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}
_LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in _DTYPES.values()}
_WHOLE = {
    name: np.dtype(name)
    for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked; ``task`` is None where only the base is intact.

    Nothing of it can be changed: what acts, and what is promised, stays what was checked. Of a
    mixture ``parts`` are bundles as well, with a constraint and a task policy each; an episode
    keeps to the one that its seed draws.
    """

    _manifest: dict[str, Any]
    base: FrozenPolicy | SamplerFile
    task: FrozenPolicy | Selector | None
    constraint: Constraint | Mixture
    horizon: int
    bounds: Bounds
    dtype: np.dtype[Any]
    damage: str | None = None
    trusted: frozenset[str] = frozenset()
    one_number: bool = False
    """Whether the environment takes a number and no array, as a Discrete space does."""
    certificate_beta: float | None = None
    """Of the certificate; the promise's own is another where its limit was chosen from data."""
    parts: tuple[Bundle, ...] = ()
    """Of a mixture; else empty."""

    @property
    def manifest(self) -> dict[str, Any]:
        """A copy of the manifest."""
        return copy.deepcopy(self._manifest)

    @property
    def promise(self) -> dict[str, Any]:
        """A copy of what is promised."""
        return copy.deepcopy(self._manifest["promise"])

    @property
    def digest(self) -> str:
        """sha256 (hex) over the manifest, and so over every file."""
        return str(self._manifest["digest"])

    @property
    def each(self) -> tuple[Bundle, ...]:
        """What an episode may be played by: the parts of a mixture, else the bundle itself."""
        return self.parts or (self,)

    @property
    def rule(self) -> Constraint:
        """The one constraint of an episode; a mixture's are its parts'.

        Raises:
            TypeError: of a mixture itself.
        """
        if isinstance(self.constraint, Mixture):
            raise TypeError("a mixture has no constraint of its own: ask the part that was drawn")
        return self.constraint

    def drawn(self, words: Words) -> int | None:
        """The part that an episode of this seed plays; None where there is but one policy."""
        if not isinstance(self.constraint, Mixture):
            return None
        return drawn_part(self.constraint, words)

    def without_task(self) -> Bundle:
        """The same with the base alone, which then acts in every part."""
        parts = tuple(part.without_task() for part in self.parts)
        return replace(self, task=None, parts=parts)

    @property
    def family(self) -> type[Distribution]:
        """What a step draws from: actions, or the index of one of the candidates."""
        if isinstance(self.base, SamplerFile) or isinstance(self.task, Selector):
            return Categorical
        return self.base.spec.family

    @property
    def flattening(self) -> Flattening | None:
        """How an observation that is no vector becomes one, before both policies."""
        return self.base.spec.flattening

    @property
    def memory_size(self) -> int:
        """M: the numbers that a recurrent base keeps during an episode."""
        return 0 if isinstance(self.base, SamplerFile) else self.base.spec.memory_size

    def first_memory(self) -> NDArray[np.float64]:
        """What it remembers before an episode, (1, M)."""
        return np.zeros((1, self.memory_size))

    @property
    def selects(self) -> bool:
        """Whether each action is one of several that are drawn from the base."""
        return isinstance(self.base, SamplerFile) or isinstance(self.task, Selector)

    @property
    def action_mapping(self) -> ActionMapping:
        """What turns a sample into the environment's action; a sampler's are its own."""
        return self.base.spec.action_mapping

    def behaviours(self) -> tuple[Behaviour, Behaviour | None]:
        """The base and the task policy, as evaluations run them; both take the same draws.

        Beside a selector the base is the uniform choice among the candidates.

        Raises:
            UserError: a sampler of the user's that has changed, fails, or is not to be run.
        """
        if not isinstance(self.base, SamplerFile):
            return self._around(PolicySampler(self.base))
        sampler = sampler_of(self.base, run_module=self.base.spec.module in self.trusted)
        if isinstance(sampler, UserSampler):
            sampler.ready()
        return self._around(sampler)

    def require_fit(self) -> None:
        """Refuse parts that do not fit each other; no code of a user's is run.

        Raises:
            UserError: says which.
        """
        if self.parts:
            for part in self.parts:
                part.require_fit()
        elif isinstance(self.base, SamplerFile):  # imported by its first draw, which is not made
            self._around(UserSampler(self.base.spec, run_module=True))
        else:
            self._around(PolicySampler(self.base))

    def _around(self, sampler: BaseSampler) -> tuple[Behaviour, Behaviour | None]:
        if isinstance(self.base, FrozenPolicy) and not isinstance(self.task, Selector):
            base = BaseBehaviour(self.base)
            if self.task is None:
                return base, None
            return base, ProjectedBehaviour(self.base, self.task, self.rule)
        if self.task is None:
            return SamplerBehaviour(sampler), None
        if not isinstance(self.task, Selector):
            raise UserError("a base that is only sampled has no density to project a policy around")
        choice = SelectionBehaviour(sampler, self.task, self.rule)
        return SamplerBehaviour(sampler), choice

    def action(self, drawn: NDArray[np.float64]) -> NDArray[Any] | int:
        """What ``step`` is given for a sample (D,): a fresh array of the action space's dtype.

        An int where the environment takes one number.

        Raises:
            ArithmeticError: an action that has no finite number there.
        """
        action = self.action_mapping(drawn)
        if self.dtype.kind != "f":  # indices, as the manifest's bounds are the policy's own
            return int(action[0]) if self.one_number else action.astype(self.dtype)
        largest = _LARGEST[self.dtype]
        if not all(abs(x) <= largest for x in action.tolist()):
            raise ArithmeticError(f"the action is not finite in {self.dtype}")
        return np.array(action, dtype=self.dtype)


def read_bundle(
    folder: Path,
    *,
    expect: str | None = None,
    base_only: bool = False,
    trust_module: str | Collection[str] = (),
) -> Bundle:
    """Read a bundle and check all of it: every sha256, the chain of digests, the promise.

    expect: the bundle's digest, known from elsewhere; whoever can rewrite the whole folder can
        compute every digest in it anew, but not make it this one. base_only: where nothing but
        the task policy is damaged, return a bundle without it. trust_module: which modules may be
        imported if the bundle names them, for its constraint or its base sampler.

    Raises:
        UserError: anything missing, altered, or that does not fit together, by name.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, expect)
    trusted = frozenset([trust_module] if isinstance(trust_module, str) else trust_module)
    try:
        with one_thread():  # a forked process may load a bundle
            return _assemble(folder, manifest, base_only, trusted)
    except UserError as error:
        raise type(error)(f"bundle {folder}: {plain(error)[:500]}") from None
    except (
        KeyError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError
    ) as error:  # fmt: skip
        raise UserError(f"bundle {folder} is not valid: {plain(repr(error))[:300]}") from None


def _assemble(
    folder: Path, manifest: dict[str, Any], base_only: bool, trusted: frozenset[str]
) -> Bundle:
    contents, damage = _contents(folder, manifest, base_only)
    certificate = certificate_from_bytes(contents[CERTIFICATE], CERTIFICATE)
    base = _base(contents, manifest)
    world, horizon, promise = (manifest[name] for name in ("world", "horizon", "promise"))
    _require_certified(manifest, certificate)
    if type(horizon) is not int:
        raise UserError(f"horizon {horizon!r} is not a number of steps")
    constraint = constraint_of(manifest, trusted)
    selection = selection_of(manifest, base)
    family = None if isinstance(base, SamplerFile) else base.spec.family
    chosen = from_data_of(manifest, contents.__getitem__, constraint, horizon, certificate)
    require_promise(promise, certificate, constraint, horizon, selection, family, chosen)
    ratios = promise["alpha_mu"], promise["alpha_p"]
    require_near(certificate.env_id, certificate.env_kwargs, world["env_kwargs"], *ratios)
    if world["max_episode_steps"] != certificate.max_horizon:
        raise UserError(
            f"max_episode_steps is {world['max_episode_steps']!r}, the certificate's environment "
            f"was made for {certificate.max_horizon}"
        )
    spaces = manifest["spaces"]
    flattening = base.spec.flattening
    named = None if flattening is None else flattening.model_dump(mode="json")
    if spaces["observation"].get("flattening") != named:
        raise UserError("the base policy was made for another observation space than is named")
    dtype = _dtype_of(spaces["action"], base.spec.action_mapping)
    bounds = Bounds.of_json(spaces["observation"], base.spec.observation_size)
    one_number = dtype.kind != "f" and spaces["action"]["shape"] == []
    bundle = Bundle(
        manifest, base, None, constraint, horizon, bounds, dtype, damage, trusted, one_number,
        certificate.beta,
    )  # fmt: skip
    bundle = _with_tasks(bundle, contents)
    bundle.require_fit()
    return bundle


def _with_tasks(bundle: Bundle, contents: dict[str, bytes]) -> Bundle:
    """The bundle with its task policy, or with its parts and theirs; without, where damaged."""
    about, damaged = bundle.manifest["task"], bundle.damage is not None
    if not isinstance(bundle.constraint, Mixture):
        return replace(bundle, task=None if damaged else _task(contents, "task", about))
    parts = []
    for number, constraint in enumerate(bundle.constraint.parts):
        task = None if damaged else _task(contents, f"task/{number}", about[PARTS][number])
        parts.append(replace(bundle, constraint=constraint, task=task))
    return replace(bundle, parts=tuple(parts))


def _dtype_of(space: dict[str, Any], mapping: ActionMapping) -> np.dtype[Any]:
    """Of the actions that a manifest states: floats, or of indices whole numbers.

    Raises:
        UserError: others than the policy gives.
    """
    if mapping.squash != "index":
        if space["dtype"] not in _DTYPES:
            raise UserError("actions are floats: a rounding to others was not certified")
        return _DTYPES[space["dtype"]]
    ends = [list(end) for end in (mapping.action_low or (), mapping.action_high or ())]
    shapes = [[len(ends[0])], *([[]] if len(ends[0]) == 1 else [])]
    stated = [space["low"], space["high"]]
    if space["dtype"] not in _WHOLE or space["shape"] not in shapes or stated != ends:
        raise UserError("the actions that the manifest states are not the policy's indices")
    return _WHOLE[space["dtype"]]


def constraint_of(manifest: dict[str, Any], trusted: Collection[str]) -> Constraint | Mixture:
    """The constraint or mixture that a manifest names; trusted: modules to be imported for it.

    Raises:
        UserError: an unknown one, or whose module is neither imported nor trusted, or has changed.
    """
    about = manifest["constraint"]
    if is_mixture(about):
        return mixture_from_json(about)
    module = str(about["name"]).partition(":")[0]
    found = constraint_from_json(about, run_module=module in trusted)
    require_code(found.name, manifest.get(CODE, {}))
    return found


def selection_of(manifest: dict[str, Any], base: object) -> How:
    """How the task policy chooses among candidates; None where it is a policy itself.

    Of a mixture that of each part.

    Raises:
        ValueError: no number of candidates, or one for a policy that draws none.
    """
    about, files = manifest["task"], manifest["files"]
    if PARTS not in about:
        return _selection(about, "task", files, base)
    folders = task_folders(manifest)
    found = zip(about[PARTS], folders, strict=True)
    return Parts(tuple(_selection(one, who, files, base) for one, who in found))


def _selection(
    about: dict[str, Any], who: str, files: Collection[str], base: object
) -> Selection | None:
    count = about.get("num_candidates")
    if kind_of(who, files) is not SELECTOR_FILES:
        if count is not None:
            raise ValueError("num_candidates is stated for a policy that draws none")
        return None
    if type(count) is not int:
        raise ValueError(f"num_candidates is {count!r}")
    return Selection.around(count, base)


def _contents(
    folder: Path, manifest: dict[str, Any], base_only: bool
) -> tuple[dict[str, bytes], str | None]:
    """The bytes of every file, and what is wrong with the task policy where that is tolerated."""
    damage = None
    contents: dict[str, bytes] = {}
    tasks = task_folders(manifest)
    files = manifest["files"]
    for name, expected in files.items():
        try:
            contents[name] = read_file(folder, name, expected)
        except UserError as error:
            if not (base_only and name.startswith("task/")):
                raise
            damage = str(error)
    for name in required(files, tasks):
        if name not in files:
            raise UserError(f"{name} is not in its {MANIFEST}")
    return contents, damage


def _base(contents: dict[str, bytes], manifest: dict[str, Any]) -> FrozenPolicy | SamplerFile:
    if kind_of("base", contents) is not SAMPLER_FILES:
        return _policy(contents, "base", manifest["base"])
    (name,) = SAMPLER_FILES
    found = sampler_from_bytes(contents[f"base/{name}"], Path("base") / name)
    _require_named("base", found.digest, manifest["base"])
    return found


def _task(contents: dict[str, bytes], who: str, about: dict[str, Any]) -> FrozenPolicy | Selector:
    """The task policy in a folder; about: what the manifest says of it."""
    if kind_of(who, contents) is not SELECTOR_FILES:
        return _policy(contents, who, about)
    document, weights = (contents[f"{who}/{name}"] for name in SELECTOR_FILES)
    found, _ = selector_from_bytes(document, weights, Path(who))
    _require_named(who, found.digest, about)
    if found.num_candidates != about["num_candidates"]:
        raise UserError(
            f"the task policy chooses among {found.num_candidates} candidates, not among "
            f"{about['num_candidates']}"
        )
    return found


def _policy(contents: dict[str, bytes], who: str, about: dict[str, Any]) -> FrozenPolicy:
    document, weights = (contents[f"{who}/{name}"] for name in kind_of(who, contents))
    found = policy_from_bytes(document, weights, Path(who))
    _require_named(who, found.digest, about)
    return FrozenPolicy(found.network)


def _require_named(who: str, digest: str, about: dict[str, Any]) -> None:
    if digest != about["digest"]:
        raise UserError(f"the {who} policy is not the one that the manifest names")


def _require_certified(manifest: dict[str, Any], certificate: Certificate) -> None:
    """Refuse a certificate of something else than the manifest says.

    Raises:
        UserError: says of what.
    """
    for name, mine, its in (
        ("base policy", manifest["base"]["digest"], certificate.base_digest),
        ("environment", manifest["world"]["env_id"], certificate.env_id),
        ("property", manifest["property"], certificate.property),
    ):
        if mine != its:
            raise UserError(f"the certificate is for another {name}: {its!r}, not {mine!r}")
    if manifest["certificate"]["digest"] != certificate.digest:
        raise UserError("the certificate is not the one that the manifest names")
