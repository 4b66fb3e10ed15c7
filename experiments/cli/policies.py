"""The command import-base: a policy of another library as a base policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sport_ray.experiments.stages.import_base import Given, Source, import_base
from sport_ray.experiments.stages.import_onnx import GivenOnnx
from sport_ray.tracking.console import PlainConsole


def import_base_command(
    kind: Annotated[
        Source, typer.Argument(metavar="sb3|rllib|npz|onnx", help="Where it comes from.")
    ],
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A model's .zip, a checkpoint, an .npz, or .onnx."),
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
        typer.Option("--env", help="sb3, onnx: gymnasium id to take the actions' bounds from."),
    ] = None,
    raw_observations: Annotated[
        bool,
        typer.Option(
            "--raw-observations", help="sb3, rllib: trained on observations as they are, surely."
        ),
    ] = False,
    clip_actions: Annotated[
        bool,
        typer.Option("--clip-actions", help="rllib: trained with normalize_actions off."),
    ] = False,
    trust: Annotated[
        bool,
        typer.Option("--trust", help="rllib: unpickle PATH, which RUNS WHATEVER CODE IT HOLDS."),
    ] = False,
    family: Annotated[
        str | None,
        typer.Option("--family", metavar="gaussian|categorical", help="onnx: what it gives."),
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", help="onnx: the output that is the mean.")
    ] = None,
    log_std: Annotated[
        str | None,
        typer.Option(
            "--log-std", help="onnx: an output, a constant, 'half' of the mean's, or numbers."
        ),
    ] = None,
    std: Annotated[
        str | None, typer.Option("--std", help="onnx: the output that is the std.")
    ] = None,
    logits: Annotated[
        str | None, typer.Option("--logits", help="onnx: the output that is the log weights.")
    ] = None,
    squash: Annotated[
        str | None,
        typer.Option(
            "--squash", metavar="HOW", help="onnx: tanh, clip, unit_clip or none of a sample."
        ),
    ] = None,
    action_low: Annotated[
        str | None, typer.Option("--action-low", help="onnx: bounds, such as -1,-2.")
    ] = None,
    action_high: Annotated[
        str | None, typer.Option("--action-high", help="onnx: bounds, such as 1,2.")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", help="onnx: values of each index, such as 3,2; default one index."),
    ] = None,
) -> None:
    """Make a base policy of one trained elsewhere: the same distribution over actions.

    Diagonal Gaussians and logits: of an MLP of Stable-Baselines3 (PPO, A2C, SAC) or RLlib (PPO,
    SAC), of an npz in the layout of docs/your-own-task.md, or of an ONNX graph
    (docs/your-own-base.md). Nothing is unpickled, but for RLlib's checkpoints with --trust.
    """
    onnx = GivenOnnx(family, mean, log_std, std, logits, squash, action_low, action_high, sizes)
    given = Given(normalization, activation, env, raw_observations, clip_actions, trust, onnx)
    made = import_base(kind, path, out, given)
    console, spec = PlainConsole(), made.network.spec
    seen = "normalised" if spec.normalization else "as they are"
    if spec.normalization is None and kind is not Source.NPZ and not raw_observations:
        seen += " (if it was trained on normalised ones, give --normalization)"
    law = f", std {spec.std_head}"
    if (outcomes := spec.outcomes) is not None:
        law = f" ({' + '.join(map(str, outcomes))} outcomes)"
    console.print(
        f"base policy {made.digest[:12]} written to {out}: {spec.observation_size} observations, "
        f"{spec.action_size} actions by {spec.squash}{law}, observations {seen}",
        soft_wrap=True,
        highlight=False,
    )
    if kind is Source.ONNX:
        body = "kept as a graph" if spec.body == "graph" else f"layers {list(spec.layer_sizes)}"
        console.print(f"{body}; {made.agreement}", soft_wrap=True, highlight=False)
