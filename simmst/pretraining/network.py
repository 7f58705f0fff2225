"""The pretrained network: a series' last four weeks in, quantiles of any day of the next week out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from simmst.errors import ConfigError
from simmst.pretraining.own_fit import READ, OwnPast, memory
from simmst.pretraining.reading import (
    BLOCKS,
    DAY,
    DAYS,
    DEPARTURES,
    HOURS,
    LEVELS,
    MEDIAN,
    ROWS,
    Scale,
    departures,
    rows,
)

_RECENT = 48  # hours whose masks are seen one by one
_CLOCK, _FEATURES = 4, 6
_FAR = 6.0  # z-scores beyond are read as this far


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of the network.

    Attributes
    ----------
    width, head : int
        Of the trunk, which reads the history once, and of the head, which answers for each day.
    depth : int
        Residual blocks of the trunk.
    """

    width: int = 480
    head: int = 352
    depth: int = 2

    def __post_init__(self) -> None:
        for name in ("width", "head", "depth"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} {getattr(self, name)}: must be at least 1")


class PretrainedNet(nn.Module):
    """A residual perceptron over one series; a day's median is a mixture of simple rows and a correction.

    Parameters
    ----------
    config : NetworkConfig
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or NetworkConfig()
        read = HOURS + DAYS + _RECENT + 7 + _CLOCK + _FEATURES + DEPARTURES + 2 * READ
        self.enter = nn.Linear(read, config.width)
        self.trunk = nn.Sequential(
            *(_Residual(config.width) for _ in range(config.depth)), nn.LayerNorm(config.width)
        )
        self.ask = nn.Linear(config.width + ROWS * DAY + BLOCKS + 7 + _CLOCK, config.head)
        self.head = nn.Sequential(nn.GELU(), _Residual(config.head), nn.LayerNorm(config.head))
        self.answer = nn.Linear(config.head, DAY * (len(LEVELS) + ROWS))
        nn.init.zeros_(self.answer.weight)
        nn.init.zeros_(self.answer.bias)

    def forward(
        self, traffic: Tensor, known: Tensor, hour_of_week: Tensor, blocks: Tensor
    ) -> tuple[Tensor, Scale]:
        """Forecast days after the origin.

        Parameters
        ----------
        traffic, known : Tensor [B, L]
            The last 672 hours before the origin, in any unit, and 1 where they are known, else 0.
        hour_of_week : Tensor [B]
            Local time of the first hour to forecast; 0 is Monday's first.
        blocks : Tensor [B, K]
            Which days: 0 is the first 24 hours, 6 the last of a week.

        Returns
        -------
        quantiles : Tensor [B, K, 24, Q]
            Z-scores at `LEVELS`, in ascending order by construction.
        scale : Scale
            Which turns them into traffic.
        """
        traffic = traffic * known
        scale = Scale.of(traffic, known)
        scaled = scale.scaled(traffic) * known
        clock = _clock(hour_of_week)
        weekday = hour_of_week.div(DAY, rounding_mode="floor")
        own = _Own(OwnPast.of(scaled, known, hour_of_week))
        read = [
            scaled.clamp(-_FAR, _FAR), known.view(-1, DAYS, DAY).mean(2), known[:, -_RECENT:],
            functional.one_hot(weekday, 7).float(), clock, _features(traffic, scaled, known, scale),
            departures(scaled, known), *(one.read for one in own.memories),
        ]  # fmt: skip
        trunk = self.trunk(self.enter(torch.cat(read, 1)))
        answers = []
        for block in blocks.unbind(1):
            beside = torch.cat([rows(scaled, known, block), own.rows(block)], 1)
            answers.append(self._day(trunk, beside, clock, weekday, block))
        return torch.stack(answers, 1), scale

    def _day(self, trunk: Tensor, beside: Tensor, clock: Tensor, weekday: Tensor, block: Tensor) -> Tensor:
        """Quantiles `[B, 24, Q]` of one day."""
        asked = [
            trunk, beside.flatten(1).clamp(-_FAR, _FAR), functional.one_hot(block, BLOCKS).float(),
            functional.one_hot((weekday + block) % 7, 7).float(), clock,
        ]  # fmt: skip
        out = self.answer(self.head(self.ask(torch.cat(asked, 1)))).float().view(-1, DAY, len(LEVELS) + ROWS)
        own, mixture = out.split([len(LEVELS), ROWS], -1)
        median = (torch.softmax(mixture, -1) * beside.transpose(1, 2)).sum(-1) + own[..., MEDIAN]
        up = functional.softplus(own[..., MEDIAN + 1 :] - 1.0).cumsum(-1)
        down = functional.softplus(own[..., :MEDIAN] - 1.0).flip(-1).cumsum(-1).flip(-1)
        median = median[..., None]
        return torch.cat([median - down, median, median + up], -1)


class _Own:
    """Rows that a series' own past has fitted, and what departures from them say."""

    def __init__(self, past: OwnPast) -> None:
        self.past = past
        fit = past.fit(torch.zeros_like(past.days[:, 0, 0], dtype=torch.int64))
        self.memories = [
            memory((fit.truth - row)[:, :-1], fit.counts[:, :-1]) for row in (fit.usual, fit.fitted)
        ]
        self._near = [fit.usual[:, -1], fit.fitted[:, -1]]
        self._near += [row + one.ahead for row, one in zip(self._near, self.memories, strict=True)]

    def rows(self, block: Tensor) -> Tensor:
        """Rows `[B, 4, 24]` of days: usual and fitted, and both with departures, which end with the first day."""
        out = torch.stack(self._near, 1)
        far = block.nonzero()[:, 0]
        if len(far):
            fit = OwnPast(*(one[far] for one in self.past)).fit(block[far])
            out[far] = torch.stack([fit.usual[:, -1], fit.fitted[:, -1]], 1).repeat(1, 2, 1)
        return out


class _Residual(nn.Module):
    """x + W₂ GELU(W₁ LayerNorm(x)), which begins as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.last = nn.Linear(width, width)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.last(self.inner(x))
        return out


def _clock(hour_of_week: Tensor) -> Tensor:
    """Two harmonics of the hour of the day, `[B, 4]`."""
    angle = (hour_of_week % DAY).float() * (2.0 * math.pi / DAY)
    return torch.stack([angle.sin(), angle.cos(), (2 * angle).sin(), (2 * angle).cos()], 1)


def _features(traffic: Tensor, scaled: Tensor, known: Tensor, scale: Scale) -> Tensor:
    """Spread, share of zeros, share known, changes from day to day and hour to hour, largest z-score: `[B, 6]`."""
    count = known.sum(1).clamp(min=1.0)
    days, seen = scaled.view(-1, DAYS, DAY), known.view(-1, DAYS, DAY)
    both = seen[:, 1:] * seen[:, :-1]
    by_day = ((days[:, 1:] - days[:, :-1]).abs() * both).sum((1, 2)) / both.sum((1, 2)).clamp(min=1.0)
    by_hour = ((scaled[:, 1:] - scaled[:, :-1]).abs() * known[:, 1:] * known[:, :-1]).sum(1) / count
    zeros = ((traffic <= 0).float() * known).sum(1) / count
    return torch.stack([scale.spread, zeros, known.mean(1), by_day, 0.2 * scaled.abs().amax(1), by_hour], 1)
