"""What a series' own past says of simple rows: which of them to follow, and how long what is unusual lasts.

Both are small regressions of each series by itself, by closed forms, so the network need not learn to do them: on
real days of two cities they were ahead of a network without them (docs/pretrained.md).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_DAY, _WEEK, _WEEKEND = 24, 168, 120
_DAYS, _AFTER, _FROM = 28, 7, 7  # of history, of forecasts; the first day that a fit sees as a target
_SEEN = 3  # known days before a day that is a target
# Ridges: of the fit, for z-scores, a known hour; of the memory, a share of the variance, more where few are known
_FIT, _MEMORY, _FEW = 0.02, 0.05, 20.0
#: Departures that the coming ones are regressed on, and the hours that this reaches.
_ORDER, _AHEAD = 8, 24
#: Lags whose autocorrelations the network reads.
_LAGS = (1, 2, 3, 6, 12, 24)
#: Numbers of `Memory.read`.
READ = len(_LAGS) + 1


class OwnFit(NamedTuple):
    """Rows of a batch for days that all lie as far ahead of what they are made of.

    Attributes
    ----------
    usual, fitted : Tensor [B, 22, 24]
        For days that follow 7, 8, ..., 28 days of history: the mean of the same hour on days of the same kind
        (weekend or not), and a mixture of simple rows that did best on the days before the origin. The last one
        is a forecast.
    truth, counts : Tensor [B, 22, 24]
        What came, and 1 where it is known and was a target of the fit, else 0.
    """

    usual: Tensor
    fitted: Tensor
    truth: Tensor
    counts: Tensor


class Memory(NamedTuple):
    """What departures from a row say.

    Attributes
    ----------
    ahead : Tensor [B, 24]
        Departures to expect in the next hours: linear in the last eight, by normal equations of the series' own
        autocovariances (Yule and Walker's, one set for each hour ahead).
    read : Tensor [B, 7]
        Their deviation, and autocorrelations at 1, 2, 3, 6, 12 and 24 hours.
    """

    ahead: Tensor
    read: Tensor


class OwnPast(NamedTuple):
    """What rows are made of: days with a week of none after them, and means before days 7, ..., 28.

    Attributes
    ----------
    days, seen, weekend : Tensor [B, 35, 24]
        Z-scores, which are known, and which hours lie on a Saturday or Sunday.
    weekdays, on_weekday : Tensor [B, 35, 24]
        Sums over a day and those of the same weekday before it, and how many they are.
    work, off : Tensor [B, 22, 24]
        Means over the days before, working days and weekends.
    rows : Tensor [B, 6, 22, 24]
        The last day; means of three, seven and all days; and how far the last day, and its last six hours, lay
        from the usual: the last two are differences.
    enough : Tensor [B, 22, 24]
        Whether three days are known.
    """

    days: Tensor
    seen: Tensor
    weekend: Tensor
    weekdays: Tensor
    on_weekday: Tensor
    work: Tensor
    off: Tensor
    rows: Tensor
    enough: Tensor

    @classmethod
    def of(cls, scaled: Tensor, known: Tensor, hour_of_week: Tensor) -> OwnPast:
        """Sum up 28 days.

        Parameters
        ----------
        scaled, known : Tensor [B, L]
            Z-scores, 0 where unknown, and which are known.
        hour_of_week : Tensor [B]
            Of the first hour after them.
        """
        with torch.no_grad():
            days, seen = (_with_days_after(one.float().view(len(scaled), _DAYS, _DAY)) for one in (scaled, known))
            hours = hour_of_week[:, None] + torch.arange(-_DAYS * _DAY, _AFTER * _DAY, device=scaled.device)
            weekend = (torch.remainder(hours, _WEEK) >= _WEEKEND).view_as(days)
            total, number = _sums(days), _sums(seen)
            everything = _mean(total, number, _DAYS, torch.zeros_like(total[:, _FROM:]))
            week = _mean(total, number, 7, everything)
            lately = _mean(total, number, 3, week)
            before = slice(_FROM - 1, _DAYS)
            last = torch.where(seen[:, before] > 0, days[:, before], lately)
            totals, numbers = _sums(days * weekend), _sums(seen * weekend)
            off = _mean(totals, numbers, _DAYS, everything)
            work = _mean(total - totals, number - numbers, _DAYS, everything)
            at_origin = torch.where(weekend[:, _FROM : _DAYS + 1], off, work)
            away = last - torch.cat([at_origin[:, :1], at_origin[:, :-1]], 1)
            levels = [away[..., -back:].mean(-1, keepdim=True).expand_as(away) for back in (_DAY, 6)]
            rows = torch.stack([last, lately, week, everything, *levels], 1)
            weekdays, on_weekday = (one.view(-1, 5, 7, _DAY).cumsum(1).view_as(one) for one in (days, seen))
            return cls(days, seen, weekend, weekdays, on_weekday, work, off, rows, number[:, _FROM:] >= _SEEN)

    def fit(self, block: Tensor) -> OwnFit:
        """Fit a mixture of rows to each series: ridge regression over its days.

        Beside the usual day of that kind they are those of `rows`, the day a week before, and the mean of the same
        weekday.

        Parameters
        ----------
        block : Tensor [B]
            Which day after the origin, 0 to 6.
        """
        with torch.no_grad(), torch.autocast(self.days.device.type, enabled=False):
            first = torch.arange(_FROM, _DAYS + 1, device=self.days.device)  # a row is made of the days before it
            target = (first + block[:, None])[..., None].expand(-1, -1, _DAY)
            ago = target - 7
            usual = torch.where(self.weekend.gather(1, target), self.off, self.work)
            times = self.on_weekday.gather(1, ago)
            weekday = torch.where(times > 0, self.weekdays.gather(1, ago) / times.clamp(min=1.0), usual)
            week_ago = torch.where(self.seen.gather(1, ago) > 0, self.days.gather(1, ago), self.rows[:, 2])
            truth = self.days.gather(1, target)
            counts = self.seen.gather(1, target) * self.enough
            rows = torch.cat([self.rows, week_ago[:, None], weekday[:, None]], 1)
            for row in (0, 1, 2, 3, 6, 7):
                rows[:, row] -= usual
            flat, wanted = rows.flatten(2), ((truth - usual) * counts).flatten(1)
            gram = (flat * counts.flatten(1)[:, None]) @ flat.transpose(1, 2)
            ridge = _FIT * (counts.sum((1, 2)) + _DAY)
            gram = gram + ridge[:, None, None] * torch.eye(rows.shape[1], device=rows.device)
            weights = torch.linalg.solve(gram, flat @ wanted[..., None])
            fitted = usual + (weights.transpose(1, 2) @ flat).view_as(usual)
            return OwnFit(usual, fitted, truth, counts)


def _with_days_after(days: Tensor) -> Tensor:
    """Days `[B, 28, 24]` and seven of zeros."""
    return torch.cat([days, days.new_zeros(len(days), _AFTER, _DAY)], 1)


def _sums(days: Tensor) -> Tensor:
    """Sums over the days before each of 0, ..., 28."""
    return torch.cat([torch.zeros_like(days[:, :1]), days[:, :_DAYS].cumsum(1)], 1)


def _mean(total: Tensor, number: Tensor, days: int, otherwise: Tensor) -> Tensor:
    """Mean over the last `days` before days 7, ..., 28; where nothing is known, another row."""
    start = torch.arange(_FROM - days, _DAYS + 1 - days, device=total.device).clamp(min=0)
    sums, counts = (one[:, _FROM:] - one[:, start] for one in (total, number))
    return torch.where(counts > 0, sums / counts.clamp(min=1.0), otherwise)


def memory(away: Tensor, counts: Tensor) -> Memory:
    """Say where departures lead.

    Parameters
    ----------
    away, counts : Tensor [B, 21, 24]
        Departures of the days up to the origin, and 1 where there is one, else 0.
    """
    with torch.no_grad(), torch.autocast(away.device.type, enabled=False):
        away, counts = (away * counts).flatten(1).float(), counts.flatten(1)
        number = counts.sum(1).clamp(min=1.0)
        length = away.shape[1]
        lags = [(away[:, lag:] * away[:, : length - lag]).sum(1) / number for lag in range(_ORDER + _AHEAD)]
        covariance = torch.stack(lags, 1)  # of a series that is 0 where unknown: positive semi-definite
        variance = covariance[:, :1]
        order = torch.arange(_ORDER, device=away.device)
        ridge = variance * (_MEMORY + _FEW / number[:, None]) + 1e-6
        gram = covariance[:, (order[:, None] - order).abs()]
        gram = gram + ridge[..., None] * torch.eye(_ORDER, device=away.device)
        lead = torch.arange(1, _AHEAD + 1, device=away.device)
        coefficients = torch.linalg.solve(gram, covariance[:, order[:, None] + lead])  # [B, order, lead]
        ahead = (coefficients * away[:, -_ORDER:].flip(1)[:, :, None]).sum(1)
        correlation = covariance[:, list(_LAGS)] / (variance + 1e-6)
        return Memory(ahead, torch.cat([variance.sqrt(), correlation], 1))
