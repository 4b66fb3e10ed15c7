"""The command import-base: a policy of another library as a base policy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sport_ray.errors import UserError
from sport_ray.tracking.console import PlainConsole

if TYPE_CHECKING:  # torch takes seconds, which --help should not
    from sport_ray.policies import GaussianNetwork, Normalization


class Source(StrEnum):
    """Where a policy comes from."""

    SB3 = "sb3"
    RLLIB = "rllib"
    NPZ = "npz"


def import_base_command(
    kind: Annotated[Source, typer.Argument(metavar="sb3|rllib|npz", help="Where it comes from.")],
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A model's .zip, a checkpoint, or an .npz.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the policy.")],
    normalization: Annotated[
        Path | None,
        typer.Option("--normalization", help="Observation statistics (npz: mean, var, …)."),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", help="Of the hidden layers, if an sb3 file does not tell."),
    ] = None,
    env: Annotated[
        str | None,
        typer.Option("--env", help="gymnasium id to take an sb3 policy's action bounds from."),
    ] = None,
    raw_observations: Annotated[
        bool,
        typer.Option(
            "--raw-observations", help="sb3, rllib: trained on observations as they are, surely."
        ),
    ] = False,
    clip_actions: Annotated[
        bool,
        typer.Option("--clip-actions", help="rllib: trained with normalize_actions=False."),
    ] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="rllib: unpickle PATH, which RUNS WHATEVER CODE IT HOLDS."),
    ] = False,
) -> None:
    """Make a base policy of one trained elsewhere: the same distribution over actions.

    Diagonal Gaussians of an MLP only: Stable-Baselines3's PPO, A2C and SAC, RLlib's PPO and SAC, or
    an npz in the layout of docs/your-own-task.md. Nothing is unpickled, but for RLlib's checkpoints
    with --trust.
    """
    from sport_ray.policies import save_policy
    from sport_ray.policies.store import MANIFEST

    if (out / MANIFEST).exists():
        raise UserError(f"{out} already holds a policy: choose another folder with --out")
    _only(kind, Source.SB3, activation=activation, env=env)
    _only(kind, Source.RLLIB, clip_actions=clip_actions, trust=trust)
    statistics = _statistics(kind, normalization, raw_observations)
    if kind is Source.SB3:
        network = _from_sb3(path, activation, env, statistics, raw_observations)
    elif kind is Source.NPZ:
        from sport_ray.adapters import read_npz

        network = read_npz(path)
    else:
        network = _from_rllib(path, trust, clip_actions, statistics, raw_observations)
    digest = save_policy(out, network, _provenance(kind, path))
    console, spec = PlainConsole(), network.spec
    seen = "normalised" if spec.normalization else "as they are"
    if spec.normalization is None and kind is not Source.NPZ and not raw_observations:
        seen += " (if it was trained on normalised ones, give --normalization)"
    console.print(
        f"base policy {digest[:12]} written to {out}: {spec.observation_size} observations, "
        f"{spec.action_size} actions by {spec.squash}, std {spec.std_head}, observations {seen}",
        soft_wrap=True,
        highlight=False,
    )


def _only(kind: Source, wanted: Source, **options: object) -> None:
    for name, value in options.items():
        if value and kind is not wanted:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is for {wanted.value}; remove it for {kind.value}")


def _statistics(kind: Source, path: Path | None, raw_observations: bool) -> Normalization | None:
    from sport_ray.adapters import read_normalization

    if kind is Source.NPZ and raw_observations:
        raise UserError("an npz policy says itself what it sees; remove --raw-observations")
    if path is not None and raw_observations:
        raise UserError("--normalization and --raw-observations contradict each other: remove one")

    if path is None:
        return None
    if kind is Source.NPZ:
        raise UserError("an npz policy holds its own obs_mean, obs_var, …; remove --normalization")
    return read_normalization(path)


def _from_sb3(
    path: Path,
    activation: str | None,
    env: str | None,
    statistics: Normalization | None,
    raw_observations: bool,
) -> GaussianNetwork:
    from sport_ray.adapters import read_sb3

    space: Any = None
    if env is not None:
        import gymnasium

        from sport_ray.envs.making import make_environment

        made = make_environment(env, {}, horizon=1)
        space = made.action_space
        made.close()
        if not isinstance(space, gymnasium.spaces.Box):
            raise UserError(f"environment {env!r} has actions in {space}; expected a Box")
    return read_sb3(
        path,
        activation=activation,
        normalization=statistics,
        raw_observations=raw_observations,
        action_space=space,
    )


def _from_rllib(
    path: Path,
    trust: bool,
    clip_actions: bool,
    statistics: Normalization | None,
    raw_observations: bool,
) -> GaussianNetwork:
    if not trust:
        raise UserError(
            f"{path}: RLlib's checkpoints are pickles, which can run any code when they are read: "
            "give --trust if you made it yourself, or save what sport_ray.adapters.from_rllib "
            "makes of a live module"
        )
    if statistics is None and not raw_observations:
        _require_raw(path)
    from ray.rllib.core.rl_module import RLModule

    from sport_ray.adapters import from_rllib

    PlainConsole(stderr=True).print(
        f"--trust: unpickling {path}, which runs whatever code it holds"
    )
    try:
        module: Any = RLModule.from_checkpoint(str(path.absolute()))
    except Exception as error:  # whatever unpickling and building raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} is not the checkpoint of one RLModule ({reason}): give the folder "
            "learner_group/learner/rl_module/default_policy of an algorithm's checkpoint"
        ) from None
    actions: Any = "clip" if clip_actions else "normalize"
    return from_rllib(module, actions=actions, normalization=statistics)


def _require_raw(module: Path) -> None:
    """Refuse a module of an algorithm's checkpoint with connectors before it: their folders tell.

    RLlib writes one for each that a user added; a MeanStdFilter's statistics belong to the policy.
    """
    for folder in module.absolute().parents:
        before = folder / "env_runner" / "env_to_module_connector"
        added = sorted(path.name for path in before.glob("*") if path.is_dir())
        if added:
            raise UserError(
                f"{module}: its observations went through {', '.join(added)}: give what a "
                "MeanStdFilter does (--normalization), or --raw-observations if nothing was changed"
            )


def _provenance(kind: Source, path: Path) -> dict[str, str]:
    """How it was made; the file's digest, not where it lay."""
    import hashlib

    found = {"command": f"sport-ray import-base {kind.value} {path.name}"}
    if path.is_file():
        found["source_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
