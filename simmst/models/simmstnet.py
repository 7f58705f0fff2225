"""Sim-MSTNet: the multi-task spatio-temporal forecaster of Ma et al. (ICASSP 2026, arXiv 2601.21384)."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from simmst.errors import ConfigError
from simmst.nn.attention import Distilling, EncoderLayer
from simmst.nn.decoder import GenerativeDecoder
from simmst.nn.draws import frozen_draws
from simmst.nn.embedding import Embedding
from simmst.nn.highway import LinearHighway
from simmst.nn.interaction import Interaction
from simmst.nn.spatial import SpatialAttention
from simmst.nn.window_scale import window_scale


@dataclass(frozen=True, slots=True)
class SimMSTNetConfig:
    """Shape of a Sim-MSTNet; sizes in steps, nodes or channels.

    Parameters
    ----------
    services : int
        Number of tasks S.
    lookback, horizon : int
        Input length L and forecast length H, in steps.
    patch : int
        Nodes in the neighbour patch P, an odd number squared; the centre slot is the node itself.
    marks : int
        Calendar marks a time step, M.
    width, heads, hidden : int
        Channels D, attention heads (dividing D), width of the feed-forward maps.
    encoder_layers, decoder_layers : int
        Depths. Between two encoder layers the time axis is halved (distilling).
    label : int
        Start token of the decoder, in steps of the history.
    factor : int
        ProbSparse sampling factor c. At cellular windows it comes close to full attention: with c = 5, 20 of
        36 queries attend to all keys, and every query where there are at most 15.
    dropout : float
        Dropout rate while training.
    highway : int or None
        Departure from the paper, on by default in `small`: a linear map of the node's own past is added to
        the decoder's forecast. It starts as the seasonal naive of this period (24 hourly steps: the same
        hour yesterday), and the decoder's head from 0. None leaves it out, as in the paper.
    interaction, spatial : bool
        False switches off the cross-task attention, or the spatial branch: the paper's ablations (see
        `ablated`). One service has no other to interact with, and its network is the single-task form, STNet.
    recent : int or None
        The last steps of the history that attention and neighbours see; the highway, and the normalisation,
        see all of it. None means all.
    normalise : bool
        Subtract from each series of a window the mean of its history, divide by its deviation, and turn the
        forecast back: RevIN without its affine map (Kim et al., ICLR 2022). A departure from the paper.
    """

    services: int
    lookback: int = 48
    horizon: int = 24
    patch: int = 9
    marks: int = 4
    width: int = 16
    heads: int = 2
    hidden: int = 32
    encoder_layers: int = 2
    decoder_layers: int = 1
    label: int = 12
    factor: int = 5
    dropout: float = 0.0
    highway: int | None = 24
    interaction: bool = True
    spatial: bool = True
    recent: int | None = None
    normalise: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type is int and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"{field.name} must be a whole number of at least 1, got {value!r}")
        if self.width % self.heads:
            raise ConfigError(f"heads must divide width, got width={self.width}, heads={self.heads}")
        if self.recent is not None and not 1 <= self.recent <= self.lookback:
            raise ConfigError(f"recent must lie in 1..lookback ({self.lookback}) or be None, got {self.recent}")
        if self.label > self.seen:
            raise ConfigError(f"label ({self.label}) must not exceed the steps that attention sees ({self.seen})")
        if self.highway is not None and not 1 <= self.highway <= self.lookback:
            raise ConfigError(f"highway must lie in 1..lookback ({self.lookback}) or be None, got {self.highway}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must lie in [0, 1), got {self.dropout}")

    @property
    def seen(self) -> int:
        """Steps that attention and neighbours see."""
        return self.lookback if self.recent is None else self.recent

    @classmethod
    def small(cls, services: int, lookback: int = 168, horizon: int = 24, **changes: object) -> Self:
        """About 16 k parameters a task: trains on two CPU cores."""
        sizes = {
            "label": min(12, lookback),
            "highway": min(24, lookback),
            "recent": min(48, lookback),
            "normalise": True,
            **changes,
        }
        return cls(services, lookback, horizon, **sizes)  # type: ignore[arg-type]

    @classmethod
    def medium(cls, services: int, lookback: int = 168, horizon: int = 24, **changes: object) -> Self:
        """About 180 k parameters a task: for a patient CPU or a small GPU."""
        sizes = {"width": 64, "heads": 4, "hidden": 128, "dropout": 0.05, **changes}
        return cls.small(services, lookback, horizon, **sizes)

    @classmethod
    def paper(cls, services: int, lookback: int = 96, horizon: int = 24, **changes: object) -> Self:
        """Informer's published sizes; the paper states none, so this is a conjecture."""
        sizes = {
            "width": 512,
            "heads": 8,
            "hidden": 2048,
            "label": min(48, lookback),
            "dropout": 0.05,
            "highway": None,
            **changes,
        }
        return cls(services, lookback, horizon, **sizes)  # type: ignore[arg-type]

    def ablated(self, name: str) -> Self:
        """Return the configuration of one of the paper's ablations.

        Parameters
        ----------
        name : {"oInter", "oSpatial", "STNet"}
            Without cross-task attention; without the spatial branch; for one task alone (train one such network a
            task). The fourth, `Average`, is no other network but ``TrainerConfig(weighting="equal")``.
        """
        if name not in ABLATIONS:
            raise ConfigError(f"ablation must be one of {', '.join(ABLATIONS)}, got {name!r}")
        return replace(self, **ABLATIONS[name])


#: The paper's ablations that change the network.
ABLATIONS: dict[str, dict[str, Any]] = {
    "oInter": {"interaction": False},
    "oSpatial": {"spatial": False},
    "STNet": {"services": 1},
}


class SimMSTNet(nn.Module):
    """Forecast all services of a node from its own past and its neighbours' (equations (9) to (12)).

    Per task: an attention encoder over time with distilling, and a CNN with attention over the neighbour
    patch; then cross-task attention on both, one memory a task, and a generative decoder. The equations'
    bodies are reconstructed (see `docs/network.md` for what is stated and what is a reading).

    Parameters
    ----------
    config : SimMSTNetConfig
    seed : int
        Seed of the initial weights.
    """

    def __init__(self, config: SimMSTNetConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with frozen_draws(torch.device("cpu"), seed):
            self._build(config)

    def _build(self, c: SimMSTNetConfig) -> None:
        self.embedding = Embedding(c.services, c.marks, c.width, c.dropout)
        self.encoder = nn.ModuleList(
            [EncoderLayer(c.services, c.width, c.heads, c.hidden, c.dropout) for _ in range(c.encoder_layers)]
        )
        gaps = c.encoder_layers - 1
        self.distilling = nn.ModuleList([Distilling(c.services, c.width) for _ in range(gaps)])
        self.spatial: SpatialAttention | None = None
        if c.spatial:
            self.spatial = SpatialAttention(c.services, c.patch, c.width, c.heads, stride=2**gaps)
        across_tasks = c.interaction and c.services > 1
        self.interaction = Interaction(c.services, c.width, c.heads, c.hidden, across_tasks, c.spatial, c.dropout)
        self.decoder = GenerativeDecoder(
            c.services, c.marks, c.width, c.heads, c.hidden, c.decoder_layers, c.factor, c.label, c.dropout
        )

        self.highway: LinearHighway | None = None
        if c.highway is not None:
            self.highway = LinearHighway(c.services, c.lookback, c.horizon, c.highway)
            nn.init.zeros_(self.decoder.head.weight)

    def forward(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> Tensor:
        """Forecast `[B, H, S]` in the units of the history.

        Parameters
        ----------
        history : Tensor `[B, L, P, S]`
            Scaled traffic of the patch, centre slot P // 2.
        history_marks, future_marks : Tensor `[B, L, M]`, `[B, H, M]`
            Calendar marks.
        """
        self._check(history, history_marks, future_marks)
        centre, seen = self.config.patch // 2, self.config.seen
        if self.config.normalise:
            mean, deviation = window_scale(history)
            history = (history - mean) / deviation
        patches = history.permute(3, 0, 1, 2)  # [S, B, L, P]
        own = patches[..., centre]  # [S, B, L]
        marks = history_marks[:, -seen:]
        spatial = None if self.spatial is None else self.spatial(patches[:, :, -seen:])
        memory = self.interaction(self._temporal(own[:, :, -seen:], marks), spatial)  # [S, B, L', D]
        forecast = self.decoder(own[:, :, -seen:], marks, future_marks, memory)  # [S, B, H]
        if self.highway is not None:
            forecast = forecast + self.highway(own)
        out: Tensor = forecast.permute(1, 2, 0)
        if self.config.normalise:
            out = out * deviation[:, :, centre] + mean[:, :, centre]
        return out

    def _temporal(self, own: Tensor, marks: Tensor) -> Tensor:
        """Encode the node's own history: `[S, B, L, D]`, L halved by each distilling."""
        x = self.embedding(own, marks)
        for depth, layer in enumerate(self.encoder):
            x = layer(x)
            if depth < len(self.distilling):
                x = self.distilling[depth](x)
        out: Tensor = x
        return out

    def _check(self, history: Tensor, history_marks: Tensor, future_marks: Tensor) -> None:
        c, batch = self.config, history.shape[0]
        expected = {
            "history": (history, (batch, c.lookback, c.patch, c.services)),
            "history_marks": (history_marks, (batch, c.lookback, c.marks)),
            "future_marks": (future_marks, (batch, c.horizon, c.marks)),
        }
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")


def make_simmstnet(services: int, lookback: int, horizon: int, *, paper: bool, **changes: Any) -> SimMSTNet:
    """Build a row of the tables; the seed of its weights is drawn from torch's generator, which is seeded.

    Parameters
    ----------
    services, lookback, horizon : int
        S, L, H.
    paper : bool
        Sizes of `SimMSTNetConfig.paper`, else of `SimMSTNetConfig.small`.
    **changes
        Other fields of the configuration.
    """
    make = SimMSTNetConfig.paper if paper else SimMSTNetConfig.small
    return SimMSTNet(make(services, lookback, horizon, **changes), int(torch.randint(2**31, ())))


def make_stnet(services: int, lookback: int, horizon: int, *, paper: bool, **changes: Any) -> SimMSTNet:
    """Build the single-task form, which is the network of one service.

    Parameters
    ----------
    services, lookback, horizon : int
        1, L, H.
    paper : bool
    **changes
        As in `make_simmstnet`.
    """
    if services != 1:
        raise ConfigError(f"STNet forecasts one service, got services={services}: train one a service")
    return make_simmstnet(services, lookback, horizon, paper=paper, **changes)
