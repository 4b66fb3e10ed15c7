"""The command import-base: a policy of another library as a base policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sport_ray.experiments.stages.import_base import Given, Source, import_base
from sport_ray.tracking.console import PlainConsole


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

    Diagonal Gaussians and logits of an MLP: Stable-Baselines3's PPO, A2C and SAC, RLlib's PPO and
    SAC, or an npz in the layout of docs/your-own-task.md. Nothing is unpickled, but for RLlib's
    checkpoints with --trust.
    """
    given = Given(normalization, activation, env, raw_observations, clip_actions, trust)
    digest, network = import_base(kind, path, out, given)
    console, spec = PlainConsole(), network.spec
    seen = "normalised" if spec.normalization else "as they are"
    if spec.normalization is None and kind is not Source.NPZ and not raw_observations:
        seen += " (if it was trained on normalised ones, give --normalization)"
    law = f", std {spec.std_head}"
    if (sizes := spec.outcomes) is not None:
        law = f" ({' + '.join(map(str, sizes))} outcomes)"
    console.print(
        f"base policy {digest[:12]} written to {out}: {spec.observation_size} observations, "
        f"{spec.action_size} actions by {spec.squash}{law}, observations {seen}",
        soft_wrap=True,
        highlight=False,
    )
