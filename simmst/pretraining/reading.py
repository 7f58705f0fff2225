"""How the pretrained network reads a series: four weeks in its own scale, what is unknown masked, rows beside.

Everything here is exactly equivariant in the unit: traffic times any factor gives the same readings, and forecasts
times that factor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

HOURS, DAY = 672, 24
DAYS = HOURS // DAY
#: A block is a day after the origin; the longest horizon is a week.
BLOCKS = 7
#: The quantiles that are forecast; the fourth is the median.
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MEDIAN = 3
#: Rows that a forecast is mixed from: eight of `rows`, and four of the series' own fit.
ROWS = 12
#: Numbers that `departures` gives.
DEPARTURES = 9
#: What is added, in units of the mean, before the logarithm is taken: a twentieth keeps quiet hours from ruling.
FLOOR = 0.05
_LEAST_SPREAD = 0.1
_LARGEST = 12.0  # of log(FLOOR + x / mean): 160,000 times the mean


class Scale(NamedTuple):
    """Scale of each series of a batch, from its known hours.

    Attributes
    ----------
    unit : Tensor [B]
        Mean of the traffic; the least float where all of it is zero.
    centre, spread : Tensor [B]
        Mean and deviation of log(0.05 + traffic / unit).
    """

    unit: Tensor
    centre: Tensor
    spread: Tensor

    @classmethod
    def of(cls, traffic: Tensor, known: Tensor) -> Scale:
        """Measure it.

        Parameters
        ----------
        traffic, known : Tensor [B, L]
            Traffic, and 1 where it is known, else 0; at least one hour of each series is.
        """
        count = known.sum(1).clamp(min=1.0)
        unit = ((traffic * known).sum(1) / count).clamp(min=1e-30)
        logs = torch.log(FLOOR + traffic / unit[:, None])
        centre = (logs * known).sum(1) / count
        spread = ((logs - centre[:, None]).square() * known).sum(1).div(count).sqrt().clamp(min=_LEAST_SPREAD)
        return cls(unit, centre, spread)

    def scaled(self, traffic: Tensor) -> Tensor:
        """Traffic `[B, ...]` as z-scores of its logarithm."""
        unit, centre, spread = (_beside(one, traffic) for one in self)
        return (torch.log(FLOOR + traffic / unit) - centre) / spread

    def relative(self, scaled: Tensor) -> Tensor:
        """Z-scores `[B, ...]` as traffic over `unit`, 0 at least."""
        _, centre, spread = (_beside(one, scaled) for one in self)
        return (torch.exp((scaled * spread + centre).clamp(max=_LARGEST)) - FLOOR).clamp(min=0.0)


def _beside(one: Tensor, other: Tensor) -> Tensor:
    return one.view(-1, *(1,) * (other.dim() - 1))


def mean_known(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over axis 1 of what is known (0 where nothing is), and how much is."""
    count = known.sum(1)
    return (values * known).sum(1) / count.clamp(min=1.0), count


def rows(scaled: Tensor, known: Tensor, block: Tensor) -> Tensor:
    """What simple rows forecast for a day after the origin: `[B, 8, 24]`.

    They are: the last day; the same day of the week before; the means of the last 3 days, of the last 7, of all,
    and of the same weekday; and the second and the last of these, moved by how far the last day was from what they
    had said of it. Where a row knows nothing of an hour, a plainer one stands in.

    Parameters
    ----------
    scaled, known : Tensor [B, L]
        Z-scores, 0 where unknown, and which are known.
    block : Tensor [B]
        Which day after the origin, 0 to 6.
    """
    count = len(scaled)
    days, seen = scaled.view(count, DAYS, DAY), known.view(count, DAYS, DAY)
    everything, _ = mean_known(days, seen)
    week, in_week = mean_known(days[:, -7:], seen[:, -7:])
    week = torch.where(in_week > 0, week, everything)
    three, in_three = mean_known(days[:, -3:], seen[:, -3:])
    three = torch.where(in_three > 0, three, week)
    last = torch.where(seen[:, -1] > 0, days[:, -1], three)
    at = torch.arange(count, device=scaled.device)
    before = [DAYS + block - 7 * back for back in range(1, DAYS // 7 + 1)]
    weekdays, seen_weekdays = (torch.stack([one[at, day] for day in before], 1) for one in (days, seen))
    weekday, on_weekday = mean_known(weekdays, seen_weekdays)
    weekday = torch.where(on_weekday > 0, weekday, week)
    week_ago = torch.where(seen_weekdays[:, 0] > 0, weekdays[:, 0], weekday)
    moved = departures(scaled, known)
    moved_week, moved_weekday = week_ago + moved[:, 0, None], weekday + moved[:, 3, None]
    return torch.stack([last, week_ago, three, week, everything, weekday, moved_week, moved_weekday], 1)


def departures(scaled: Tensor, known: Tensor) -> Tensor:
    """How far the last 24, 6 and 1 hours lay from three rows: `[B, 9]`, 0 where nothing is known.

    The rows are the same day of the week before, the mean of three such days, and the mean of the seven days
    before the last.

    Parameters
    ----------
    scaled, known : Tensor [B, L]
        As in `rows`.
    """
    days, seen = scaled.view(-1, DAYS, DAY), known.view(-1, DAYS, DAY)
    found = []
    for before in ([DAYS - 8], [DAYS - 8, DAYS - 15, DAYS - 22], list(range(DAYS - 8, DAYS - 1))):
        said, count = mean_known(days[:, before], seen[:, before])
        both = (count > 0).float() * seen[:, -1]
        away = (days[:, -1] - said) * both
        found += [away[:, -h:].sum(1) / both[:, -h:].sum(1).clamp(min=1.0) for h in (DAY, 6, 1)]
    return torch.stack(found, 1)


def repeated(traffic: Tensor, known: Tensor) -> Tensor:
    """Fill unknown hours by known days at the same hour, repeated in a cycle: `[B, L]`.

    Where a week or more is known the cycle is one of whole weeks. Hours of the day of which nothing is known take
    the mean of the series.

    Parameters
    ----------
    traffic, known : Tensor [B, L]
    """
    count = len(traffic)
    days, seen = traffic.view(count, DAYS, DAY), known.view(count, DAYS, DAY) > 0
    total = seen.sum(1, keepdim=True)  # [B, 1, 24]
    # known days first, in their order
    order = torch.sort((~seen).to(torch.int8), dim=1, stable=True).indices
    period = torch.where(total >= 7, total // 7 * 7, total).clamp(min=1)
    back = torch.arange(-DAYS, 0, device=traffic.device).view(1, DAYS, 1)
    place = (total - period + torch.remainder(back, period)).clamp(min=0)
    cycled = days.gather(1, order.gather(1, place.expand(count, DAYS, DAY)))
    mean = mean_known(traffic, known)[0].view(count, 1, 1)
    filled = torch.where(total > 0, cycled, mean.expand_as(cycled))
    return torch.where(seen, days, filled).reshape(count, HOURS)
