"""The density ratio of real to simulated windows, by a classifier: a warm start, and a peer of learned weights."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.nn.draws import frozen_draws
from simmst.reweighting.proxy import Samples


def density_ratio(
    simulated: Samples,
    real: Samples,
    world: NDArray[np.integer] | None = None,
    *,
    steps: int = 400,
    largest: float = 20.0,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Estimate p_real / p_simulated at each simulated window, from what a classifier says of it.

    Two small networks tell real from simulated windows, features and targets together, each trained on half
    of both (whole worlds where they are given) and asked about the other half: a window never judges itself.

    Parameters
    ----------
    simulated, real : Samples
    world : int array of shape (n,), optional
        World of each simulated window; the ratio is then averaged over each world.
    steps : int
        Training steps of each classifier.
    largest : float
        Where ratios are cut off, so that a few windows do not outweigh all others.
    seed : int

    Returns
    -------
    array of shape (n,)
        Of mean 1.
    """
    inputs = [
        torch.from_numpy(np.concatenate([s.features[:, :-1], s.targets], axis=1).astype(np.float32))
        for s in (simulated, real)
    ]
    if min(map(len, inputs)) < 4:
        raise ConfigError("a density ratio needs at least 4 windows of each kind")
    rng = np.random.default_rng(seed)
    groups = np.arange(len(inputs[0])) if world is None else np.asarray(world)
    fold = (rng.permutation(int(groups.max()) + 1) % 2)[groups]
    real_fold = rng.permutation(len(inputs[1])) % 2
    ratio = np.empty(len(inputs[0]))
    for part in (0, 1):
        train = inputs[0][torch.from_numpy(fold != part)], inputs[1][torch.from_numpy(real_fold != part)]
        with frozen_draws(torch.device("cpu"), seed, part):
            logits = _classifier(*train, steps)(inputs[0][torch.from_numpy(fold == part)])
        ratio[fold == part] = np.exp(np.minimum(logits.numpy().astype(np.float64), np.log(largest)))
    if world is not None:
        ratio = (np.bincount(groups, weights=ratio) / np.bincount(groups))[groups]
    return np.asarray(ratio / ratio.mean())


def _classifier(simulated: Tensor, real: Tensor, steps: int, batch: int = 128) -> nn.Module:
    """Train on as many real as simulated windows, so that the logit is the log of the ratio."""
    both = torch.cat([simulated, real])
    mean, deviation = both.mean(0), both.std(0).clamp_min(1e-3)
    net = nn.Sequential(nn.Linear(both.shape[1], 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.1)
    label = torch.cat([torch.zeros(batch), torch.ones(batch)])
    for _ in range(steps):
        drawn = [part[torch.randint(len(part), (batch,))] for part in (simulated, real)]
        logit = net((torch.cat(drawn) - mean) / deviation)[:, 0]
        loss = nn.functional.binary_cross_entropy_with_logits(logit, label)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    net.eval().requires_grad_(False)
    return _Scaled(net, mean, deviation)


class _Scaled(nn.Module):
    """A classifier of scaled inputs `[b, d]`: logits `[b]`."""

    def __init__(self, net: nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.net, self.mean, self.deviation = net, mean, deviation

    def forward(self, inputs: Tensor) -> Tensor:
        out: Tensor = self.net((inputs - self.mean) / self.deviation)[:, 0]
        return out
