"""The command line's `simmst pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from simmst.cli._console import Bars, disk, say, stoppable


def pretrain(
    out: Annotated[Path, typer.Option(help="Folder of the weights; the same one to go on after a stop.")],
    prior: Annotated[str, typer.Option(help="Prior of the worlds: literature or informed.")] = "literature",
    worlds: Annotated[int | None, typer.Option(help="Worlds; default: as for the shipped weights.")] = None,
    steps: Annotated[int | None, typer.Option(help="Gradient steps; default: as for those weights.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "cpu",
    workers: Annotated[int, typer.Option(help="Processes that simulate.")] = 1,
) -> None:
    """Train the pretrained network anew, on simulated worlds only: some half an hour of one core."""
    import torch

    from simmst.pretraining.pretrain import pretrain as run
    from simmst.pretraining.recipe import Recipe

    torch.set_num_threads(1)
    given = {name: value for name, value in (("worlds", worlds), ("steps", steps)) if value is not None}
    recipe = Recipe(prior=prior, seed=seed, **given)  # type: ignore[arg-type]
    console = Console(stderr=True)
    again = f"go on by the same command, with --out {out}"
    with disk(), stoppable(again), Bars(console) as bars:
        written = run(recipe, out, device, workers, bars.watch)
    say(
        Console(),
        f"{written}: {written.stat().st_size / 1e6:.2f} MB; forecast by: simmst forecast --weights {written}",
    )


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(pretrain)
