"""Which of several rows to trust, for each service and group of leads, by error in traffic on held-back days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import t as student

from simmst.errors import DataError
from simmst.forecasting.past import DAY, WEEK, Array, Flags

#: Leads that are chosen for together: names, and hours after the origin, from 0.
GROUPS: Mapping[str, slice] = {
    "1 h": slice(0, 1), "2-6 h": slice(1, 6), "7-12 h": slice(6, 12), "13-24 h": slice(12, DAY),
    "25 h on": slice(DAY, WEEK),
}  # fmt: skip
#: Between the names of the two rows of which a row is the mean.
AND = " + "
# One-sided, over the held-back days. Origins of one day share its weather, so a day is one observation; hours or
# nodes taken for independent ones let a row win by chance.
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Choice:
    """Errors of rows on held-back days, and which is taken.

    Attributes
    ----------
    rows, services, groups : tuple of str
        What was compared; the first row is kept unless another is better.
    errors : float64 array [R, S, G]
        MAE in the units of the traffic; NaN where a row has no forecast or nothing was recorded.
    taken : int64 array [S, G]
        Which row.
    origins : int
        Forecasts of each row; 0 where nothing was compared.
    """

    rows: tuple[str, ...]
    services: tuple[str, ...]
    groups: tuple[str, ...]
    errors: Array
    taken: NDArray[np.int64]
    origins: int

    @classmethod
    def of(
        cls,
        rows: Sequence[str],
        services: Sequence[str],
        errors: Array,
        days: NDArray[np.int64],
        horizon: int,
        usual: Sequence[int],
    ) -> Self:
        """Choose.

        In each service and group the row with the lowest error is taken in place of the usual one if it is better
        by a paired t-test over days (one-sided, 5 %). Where, in a service, what was taken has a higher error over
        all leads than one row alone, that row is taken in the groups in which it is the better one: so what is
        taken is never worse than any row, over the leads of a service on these days.

        Parameters
        ----------
        rows, services : sequence of str
        errors : float64 array [O, R, S, G]
            Mean absolute errors of each origin; NaN where there is none.
        days : int64 array [O]
            Which day each origin lies in.
        horizon : int
            Hours H of the forecasts.
        usual : sequence of int
            The row of each group that is kept unless another is better.
        """
        groups = tuple(GROUPS)[: errors.shape[3]]
        means = _mean(errors)
        low = np.where(np.isnan(means), np.inf, means)
        best = low.argmin(axis=0)
        taken = np.tile(np.array(usual[: len(groups)], dtype=np.int64), (len(services), 1))
        for s, g in np.ndindex(best.shape):
            if _better(errors[:, taken[s, g], s, g] - errors[:, best[s, g], s, g], days):
                taken[s, g] = best[s, g]
        hours = np.array([min(GROUPS[name].stop, horizon) - GROUPS[name].start for name in groups])
        alone = (low * hours).sum(axis=2)  # [R, S]
        mixed = (np.take_along_axis(low, taken[None], axis=0)[0] * hours).sum(axis=1)
        one = np.broadcast_to(alone.argmin(axis=0)[:, None], taken.shape)
        lower = np.take_along_axis(low, one[None], axis=0)[0] < np.take_along_axis(low, taken[None], axis=0)[0]
        taken = np.where((mixed > alone.min(axis=0))[:, None] & lower, one, taken)
        return cls(tuple(rows), tuple(services), groups, means, taken, len(errors))

    @classmethod
    def unasked(cls, rows: Sequence[str], services: Sequence[str], horizon: int, usual: Sequence[int]) -> Self:
        """Keep the usual rows: what a history that is too short to choose gets."""
        groups = tuple(name for name, span in GROUPS.items() if span.start < horizon)
        taken = np.tile(np.array(usual[: len(groups)], dtype=np.int64), (len(services), 1))
        errors = np.full((len(rows), *taken.shape), np.nan)
        return cls(tuple(rows), tuple(services), groups, errors, taken, 0)

    def row(self, service: str, group: str) -> str:
        """Name what is taken; the first row for a service or group that was not compared."""
        if service not in self.services or group not in self.groups:
            return self.rows[0]
        return self.rows[int(self.taken[self.services.index(service), self.groups.index(group)])]

    def used(self) -> tuple[str, ...]:
        """Names of the rows that are taken anywhere."""
        return tuple(self.rows[i] for i in np.unique(self.taken))

    def frame(self) -> pl.DataFrame:
        """Return a line a service, group of leads and row: MAE on the held-back days, and whether it is taken."""
        return pl.DataFrame(
            [
                {
                    "service": service,
                    "leads": group,
                    "row": row,
                    "mae": None if np.isnan(self.errors[r, s, g]) else float(self.errors[r, s, g]),
                    "taken": bool(self.taken[s, g] == r),
                }
                for s, service in enumerate(self.services)
                for g, group in enumerate(self.groups)
                for r, row in enumerate(self.rows)
            ],
            schema={
                "service": pl.String,
                "leads": pl.String,
                "row": pl.String,
                "mae": pl.Float64,
                "taken": pl.Boolean,
            },
        )

    def said(self) -> str:
        """Say in a line what is taken where, and on what grounds."""
        where: dict[tuple[str, ...], list[str]] = {}
        for s, service in enumerate(self.services):
            where.setdefault(tuple(self.rows[i] for i in self.taken[s]), []).append(service)
        words = []
        for rows, services in where.items():
            leads: dict[str, list[str]] = {}
            for group, row in zip(self.groups, rows, strict=True):
                leads.setdefault(row, []).append(group)
            each = ", ".join(f"{row} for {' and '.join(groups)}" for row, groups in leads.items())
            each = rows[0] if len(leads) == 1 else each
            words.append(each if len(where) == 1 else f"{', '.join(services)}: {each}")
        why = f"by {self.origins} held-back forecasts" if self.origins else "too few days to choose"
        return f"{'; '.join(words)} ({why})"

    def as_json(self) -> dict[str, Any]:
        """Return it as a file holds it."""
        return {
            "rows": list(self.rows), "services": list(self.services), "groups": list(self.groups),
            "errors": [[[None if np.isnan(e) else e for e in g] for g in s] for s in self.errors.tolist()],
            "taken": self.taken.tolist(), "origins": self.origins,
        }  # fmt: skip

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read what `as_json` wrote.

        Raises
        ------
        DataError
            If a part is missing or does not fit the others.
        """
        try:
            rows, services, groups = (tuple(map(str, content[name])) for name in ("rows", "services", "groups"))
            errors = np.array(content["errors"], dtype=np.float64)  # None becomes NaN
            taken = np.array(content["taken"], dtype=np.int64)
            origins = int(content["origins"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"choice: damaged ({type(error).__name__})") from None
        if (
            not rows or groups != tuple(GROUPS)[: len(groups)]
            or errors.shape != (len(rows), len(services), len(groups))
            or taken.shape != errors.shape[1:] or not ((taken >= 0) & (taken < len(rows))).all()
        ):  # fmt: skip
            raise DataError("choice: damaged (its parts do not fit each other)")
        return cls(rows, services, groups, errors, taken, origins)


def errors_by_group(forecasts: Sequence[Array], truth: NDArray[np.floating], known: Flags) -> Array:
    """Mean absolute error of one origin by row, service and group, `[R, S, G]`, NaN where nothing is known.

    Parameters
    ----------
    forecasts : sequence of float64 array [H, N, S]
        NaN where a row has no forecast.
    truth, known : array [H', N, S]
        H' at most H: what came, and which of it was recorded.
    """
    hours, services = len(truth), truth.shape[2]
    groups = [span for span in GROUPS.values() if span.start < len(forecasts[0])]
    out = np.full((len(forecasts), services, len(groups)), np.nan)
    for r, forecast in enumerate(forecasts):
        away = np.where(known, np.abs(forecast[:hours] - truth), 0.0)
        for g, span in enumerate(groups):
            count = known[span].sum(axis=(0, 1))
            out[r, :, g] = np.where(count > 0, away[span].sum(axis=(0, 1)) / np.maximum(count, 1), np.nan)
    return out


def _mean(errors: Array) -> Array:
    """Mean over origins `[R, S, G]`, NaN where there is none."""
    there = ~np.isnan(errors)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, errors, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _better(gains: Array, days: NDArray[np.int64]) -> bool:
    """Whether gains of origins, averaged by day, are above 0 by a one-sided t-test."""
    there = ~np.isnan(gains)
    gains, days = gains[there], days[there]
    means = np.array([gains[days == day].mean() for day in np.unique(days)])
    if len(means) < 2:
        return False
    limit = float(student.ppf(1 - _LEVEL, len(means) - 1))
    return bool(means.mean() > limit * means.std(ddof=1) / np.sqrt(len(means)))
