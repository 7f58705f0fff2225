"""Pretraining: the steps of a recipe, saved as they go, so that a stop loses a minute and changes nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from simmst.errors import ConfigError, DataError
from simmst.io.lock import locked, sweep
from simmst.pretraining.draws import Draws
from simmst.pretraining.loss import quantile_loss
from simmst.pretraining.network import PretrainedNet
from simmst.pretraining.pool import Pool, draw_pool
from simmst.pretraining.recipe import Recipe
from simmst.pretraining.weights import save_weights
from simmst.training.checkpoint import load_checkpoint, save_checkpoint
from simmst.training.device import resolve_device

WEIGHTS, _STATE = "pretrained.safetensors", "state.safetensors"
_RISE, _SAVE_EVERY, _CLIP = 300, 500, 1.0

#: Called with the stage's name, what is done of it and in all, and a note.
Watch = Callable[[str, int, int, str], None]


def pretrain(
    recipe: Recipe, folder: Path, device: str = "cpu", workers: int = 1, watch: Watch = lambda *_: None
) -> Path:
    """Train a network on simulated worlds and write its weights; called again after a stop it goes on.

    Parameters
    ----------
    recipe : Recipe
    folder : Path
        New, empty, or of the same recipe.
    device : str
        "cpu", "cuda" or "auto"; the products are taken in bfloat16.
    workers : int
        Processes that simulate.
    watch : callable, optional

    Returns
    -------
    Path
        The file of weights in the folder.

    Raises
    ------
    SimmstError
        If the folder is of another recipe, another process uses it, or the device is not there.
    """
    if workers < 1:
        raise ConfigError(f"workers {workers}: must be at least 1")
    place = resolve_device(device, mixed_precision=True)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        sweep(folder)  # a killed process may have left half a file
        run = _Run(recipe, place)
        if (folder / _STATE).is_file():
            run.restore(folder / _STATE)
        elif any(one.name not in (".lock", WEIGHTS) for one in folder.iterdir()):
            raise ConfigError(f"folder {folder}: is not empty; name a new one")
        if run.step < recipe.steps:
            pool = draw_pool(
                recipe.prior, recipe.worlds, recipe.days, recipe.seed, workers,
                lambda done, total: watch("worlds", done, total, ""),
            )  # fmt: skip
            run.go_on(pool, folder / _STATE, watch)
        save_weights(folder / WEIGHTS, run.averaged_network(), _made(recipe))
    return folder / WEIGHTS


class _Run:
    """Network, optimiser and running mean of the weights at a step."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.network = PretrainedNet(recipe.network).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98)
        )
        self.mean = {name: one.detach().clone() for name, one in self.network.named_parameters()}

    def go_on(self, pool: Pool, state: Path, watch: Watch) -> None:
        """Take the steps that are left."""
        recipe = self.recipe
        draws = Draws(pool, recipe.batch, recipe.regimes, recipe.mixed, recipe.seed)
        self.network.train()
        lately = math.nan
        while self.step < recipe.steps:
            loss = self._take_step(draws)
            lately = loss if math.isnan(lately) else 0.99 * lately + 0.01 * loss
            watch("steps", self.step, recipe.steps, f"loss {lately:.4f}")
            if self.step % _SAVE_EVERY == 0 or self.step == recipe.steps:
                self.save(state)

    def _take_step(self, draws: Draws) -> float:
        recipe = self.recipe
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * _share(self.step, recipe.steps)
        batch = [tensor.to(self.device) for tensor in draws.draw(self.step)]
        with torch.autocast(self.device.type, torch.bfloat16):
            quantiles, scale = self.network(*batch[:4])
        loss = quantile_loss(quantiles, scale, *batch[3:])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimiser.step()
        self.step += 1
        decay = min(recipe.averaged, self.step / (self.step + 9))
        with torch.no_grad():
            for name, one in self.network.named_parameters():
                self.mean[name].lerp_(one, 1 - decay)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise DataError(f"step {self.step}: the loss is {value}; a smaller rate may help")
        return value

    def averaged_network(self) -> PretrainedNet:
        """Return the network of the running mean, on the processor."""
        network = PretrainedNet(self.recipe.network)
        network.load_state_dict({name: one.cpu() for name, one in self.mean.items()})
        return network.eval()

    def save(self, path: Path) -> None:
        """Write all that going on needs."""
        tensors = {f"network.{name}": one for name, one in self.network.state_dict().items()}
        tensors |= {f"mean.{name}": one for name, one in self.mean.items()}
        names = [name for name, _ in self.network.named_parameters()]
        for number, kept in self.optimiser.state_dict()["state"].items():
            tensors |= {f"{what}.{names[number]}": kept[what] for what in ("exp_avg", "exp_avg_sq", "step")}
        save_checkpoint(path, tensors, {"recipe": asdict(self.recipe), "step": self.step})

    def restore(self, path: Path) -> None:
        """Go back to what `save` wrote."""
        tensors, note = load_checkpoint(path)
        if note.get("recipe") != json.loads(json.dumps(asdict(self.recipe))):
            raise ConfigError(f"folder {path.parent}: was begun with another recipe; name a new one")

        def part(what: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(f"{what}."): one for name, one in tensors.items() if name.startswith(f"{what}.")
            }

        try:
            self.network.load_state_dict(part("network"))
            self.mean = {name: part("mean")[name].to(self.device) for name in self.mean}
            kept = {what: part(what) for what in ("exp_avg", "exp_avg_sq", "step")}
            state = self.optimiser.state_dict()
            names = [name for name, _ in self.network.named_parameters()]
            state["state"] = {n: {what: kept[what][name] for what in kept} for n, name in enumerate(names)}
            self.optimiser.load_state_dict(state)
            self.step = int(note["step"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise DataError(f"{path}: damaged ({' '.join(str(error).split())[:200]})") from None


def _share(step: int, steps: int) -> float:
    """Share of the largest rate: it rises, then falls to a hundredth along a cosine."""
    return min(1.0, (step + 1) / _RISE) * (0.495 * (1.0 + math.cos(math.pi * step / steps)) + 0.01)


def _made(recipe: Recipe) -> dict[str, Any]:
    text = json.dumps(asdict(recipe), sort_keys=True)
    versions = {name: version(name) for name in ("cutplane", "numpy", "torch")}
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"recipe": asdict(recipe), "recipe_sha256": digest, "versions": versions}
