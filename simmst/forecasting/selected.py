"""The pretrained network or a simple row, for each service and group of leads whichever held-back days favour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError, DataError
from simmst.forecasting.adapted import Adapted
from simmst.forecasting.calibration import Calibration, Quantiles, judged
from simmst.forecasting.choice import AND, GROUPS, Choice, errors_by_group
from simmst.forecasting.closed_form import Ridge
from simmst.forecasting.folder import new_folder, read_folder, write_folder
from simmst.forecasting.forecast import Forecast
from simmst.forecasting.forecaster import Forecaster
from simmst.forecasting.held_back import HeldBack
from simmst.forecasting.past import DAY, Array, Flags
from simmst.forecasting.pretrained import Pretrained, history_notices, known_hours
from simmst.forecasting.simple import Autoregression, Blend, LastWeek, Profile, Row, Yesterday, checked
from simmst.pretraining.reading import MEDIAN
from simmst.traffic.dataset import TrafficData

_NETWORK = "network"
# Half of the history is held back, a week at most; origins lie seven hours apart and so meet all hours of the day.
_MOST_HELD, _APART = 7, 7
#: Fewer whole days than these choose nothing: from three days a choice was worse than none (docs/short-files.md).
FEWEST_DAYS = 7
# From so many days on the network's mean with the profile is better than the network, but for the first hour.
_FEWEST_TO_MIX = 3
_MEAN_AT = ("2-6 h", "7-12 h", "13-24 h")
_AVERAGED = Profile.name, Autoregression.name
# Series that are back-tested, spread evenly over the nodes; and up to how many the ridge stands beside.
_MOST_SERIES = 2000


class Selected(Forecaster):
    """The pretrained network, or beside it a simple row, for each service and each group of leads.

    `fit` holds back up to a week and forecasts it by the network, yesterday, last week, `Profile`,
    `Autoregression`, `Blend`, where the history allows `Ridge`, and by means of the network with two of them. It
    keeps the network for the first hour and its mean with `Profile` for the rest of a day, unless the error in
    traffic says clearly otherwise (`Choice.of`). A history of fewer than seven whole days chooses nothing, and one
    of fewer than three keeps the network alone.

    Parameters
    ----------
    network : Pretrained, optional
        By default the one that the package brings along.
    others : sequence of Forecaster
        More to compare, not fitted or fitted on anything: they are fitted anew.
    horizon : int
        Hours to forecast, 1 to 168; those beyond a day are chosen for together.

    Attributes
    ----------
    choice : Choice or None
        Errors on the held-back days and what was taken; None before `fit`.
    held_back : HeldBack or None
        What it would have forecast on those days; None before `fit`, after `load`, and with a day of history.
    """

    name = "selected"

    def __init__(
        self, network: Pretrained | None = None, others: Sequence[Forecaster] = (), horizon: int = DAY
    ) -> None:
        self.network = Pretrained() if network is None else network
        self.others, self.horizon = tuple(others), checked(horizon, 0.5)
        names = [one.name for one in (self.network, *_rows(), Ridge(), *self.others)]
        if len(set(names)) < len(names) or any(AND in name for name in names):
            raise ConfigError(f"others: must have names of their own without {AND!r}, got {', '.join(names)}")
        self.choice: Choice | None = None
        self.held_back: HeldBack | None = None
        self.calibration = Calibration.none()
        self._fitted: dict[str, Forecaster] = {}

    def fit(self, traffic: TrafficData) -> Self:
        """Choose on held-back days, fit what was chosen on all of the traffic, and calibrate the intervals.

        Raises
        ------
        DataError
            If there is less than a day of traffic.
        """
        data = traffic.hourly()
        days = len(data.values) // DAY
        if not days:
            raise DataError(f"traffic: {len(data.values)} hours; a day of history is needed")
        self._fitted = {}
        if days < _FEWEST_TO_MIX:
            self.choice = Choice.unasked((self.network.name,), data.services, self.horizon, [0] * len(GROUPS))
            self.calibration = self.network.fit(data).calibration
            return self
        most = max(1, _MOST_SERIES // len(data.services))
        nodes = np.linspace(0, len(data.node_ids) - 1, min(len(data.node_ids), most)).astype(int)
        part = data.select(nodes=[data.node_ids[i] for i in nodes])
        known = known_hours(part)
        origins = held_back(len(data.values))
        candidates = self._candidates(part, known, int(origins[0]))
        errors, kept, medians = [], [], dict[str, Array]()
        for at in origins:
            before = part.select(stop=int(at))
            quantiles = self._network(before, known[:at], self.horizon)
            rows = {name: _medians(one, before, known[:at], self.horizon) for name, one in candidates.items()}
            medians = self._with_means(quantiles, rows)
            truth, there = part.values[at : at + self.horizon], judged(known, int(at), self.horizon)
            errors.append(errors_by_group(list(medians.values()), truth, there))
            kept.append((quantiles[:DAY], {name: one[:DAY] for name, one in medians.items()}))
        names = list(medians)
        usual = [names.index(one) for one in self._usual()]
        if days < FEWEST_DAYS:
            self.choice = Choice.unasked(names, part.services, self.horizon, usual)
        else:
            blocks = (origins - origins[0]) // DAY
            self.choice = Choice.of(names, part.services, np.stack(errors), blocks, self.horizon, usual)
        found = [self._mixed(*one, part.services) for one in kept]
        self.calibration = Calibration.of(part, known, origins, found)
        self.held_back = self._beside_truth(part, known, origins, found)
        every = known_hours(data)
        needed = {part for name in self.choice.used() for part in name.split(AND)}
        self._fitted = {name: _learnt(one, data, every) for name, one in candidates.items() if name in needed}
        return self

    def update(self, traffic: TrafficData) -> Self:
        """Choose anew: it takes seconds."""
        return self.fit(traffic)

    def predict(self, traffic: TrafficData, horizon: int | None = None, level: float = 0.9) -> Forecast:
        """Forecast the hours after the end of traffic.

        Parameters
        ----------
        traffic : TrafficData
            A day of history or more. Services that were not fitted, and nodes that a chosen row does not know, are
            forecast by the network.
        horizon : int, optional
            Hours, at most those that it was made for; None for all of them.
        level : float
            Coverage of the intervals, in (0, 1).

        Raises
        ------
        SimmstError
            If there is less than a day of history, or horizon or level are out of range.
        """
        hours = checked(self.horizon if horizon is None else horizon, level)
        if hours > self.horizon:
            raise ConfigError(f"horizon {hours}: this forecaster was made for 1 to {self.horizon} hours")
        data = traffic.hourly()
        known = known_hours(data)
        found = self._network(data, known, hours)
        mine = [s for s, service in enumerate(data.services) if self.choice and service in self.choice.services]
        rows = {}
        if self._fitted and mine:
            part = data.select(services=[data.services[s] for s in mine])
            for name, one in self._fitted.items():
                rows[name] = found[..., MEDIAN].astype(np.float64)
                row = _medians(one, part, known[:, :, mine], hours)
                rows[name][:, :, mine] = np.where(np.isnan(row), rows[name][:, :, mine], row)
        medians = self._with_means(found, rows)
        found = self._mixed(found, medians, data.services)
        lower, upper = self.calibration.interval(found, data, level)
        times = data.times[-1] + np.arange(1, hours + 1) * np.timedelta64(60, "m")
        values = found[..., MEDIAN].astype(np.float64)
        notices, every = history_notices(data, known), self.calibration.quantiles(found, data)
        return Forecast(data, times, values, lower, upper, level, notices, every)

    def said(self) -> str:
        """Say in a line what was chosen, and on what."""
        return self.network.name if self.choice is None else self.choice.said()

    def _network(self, data: TrafficData, known: Flags, horizon: int) -> Quantiles:
        return self.network.quantiles(data.values, known, data.start_hour + len(data.values), horizon)

    def _with_means(self, quantiles: Quantiles, rows: Mapping[str, Array]) -> dict[str, Array]:
        """Add the network, and its means and those of an adapted one with rows whose errors are unlike theirs."""
        every = {self.network.name: quantiles[..., MEDIAN].astype(np.float64), **rows}
        networks = [name for name in (self.network.name, Adapted.name) if name in every]
        means = {
            f"{name}{AND}{one}": (every[name] + every[one]) / 2
            for name in networks for one in _AVERAGED if one in every
        }  # fmt: skip
        return every | means

    def _beside_truth(
        self, data: TrafficData, known: Flags, origins: NDArray[np.int64], found: Sequence[Quantiles]
    ) -> HeldBack:
        """Keep calibrated quantiles of the days after the origins, beside the truth."""
        hours = min(DAY, self.horizon)
        quantiles = [
            self.calibration.quantiles(one[:hours], data.select(stop=int(at)))
            for at, one in zip(origins, found, strict=True)
        ]
        there = np.stack([judged(known, int(at), hours) for at in origins])
        truth = np.where(there, data.values[origins[:, None] + np.arange(hours)], np.nan)
        return HeldBack(
            data.select(stop=int(origins[0])), origins, data.start_hour,
            np.stack(quantiles).astype(np.float32), truth,
        )  # fmt: skip

    def _usual(self) -> list[str]:
        """What is kept unless another is better, by group."""
        mean = f"{self.network.name}{AND}{Profile.name}"
        return [mean if name in _MEAN_AT else self.network.name for name in GROUPS]

    def _candidates(self, data: TrafficData, known: Flags, stop: int) -> dict[str, Forecaster]:
        """What can be fitted before the first origin."""
        before, seen = data.select(stop=stop), known[:stop]
        tried: list[Forecaster] = [*_rows(), *self.others]
        if data.values[0].size < _MOST_SERIES:  # its equations join all services, and take long for many nodes
            tried.append(Ridge(min(self.horizon, DAY)))
        found = {}
        for one in tried:
            try:
                found[one.name] = _learnt(one, before, seen)
            except DataError:  # too short a history for it
                continue
        return found

    def _mixed(self, found: Quantiles, medians: Mapping[str, Array], services: Sequence[str]) -> Quantiles:
        """Move the network's quantiles `[H, N, S, Q]` to the medians that are taken."""
        if self.choice is None:
            return found
        wanted = medians[self.network.name].copy()
        for s, service in enumerate(services):
            for group, span in GROUPS.items():
                wanted[span, :, s] = medians[self.choice.row(service, group)][span, :, s]
        wanted = wanted[..., None].astype(np.float32)
        median = found[..., MEDIAN, None]
        share = np.divide(wanted, median, out=np.ones_like(wanted), where=median > 0)
        return np.where(median > 0, found * share, found + wanted)

    def save(self, folder: str | PathLike[str]) -> None:
        """See `Forecaster.save`: the network and the rows that were chosen stand in folders of their own in it."""
        path = new_folder(folder)
        self.network.save(path / _NETWORK)
        kept = list(self._fitted)
        for i, name in enumerate(kept):
            self._fitted[name].save(path / f"row-{i}")
        choice = None if self.choice is None else self.choice.as_json()
        note = {"kind": self.name, "horizon": self.horizon, "choice": choice, "rows": kept}
        write_folder(path, note, self.calibration.as_arrays())

    @classmethod
    def load(cls, folder: Path, read: Callable[[Path], Forecaster]) -> Self:
        """Read what `save` wrote; `read` is what reads a forecaster of any kind."""
        note, arrays = read_folder(folder, cls.name)
        kept = note.get("rows")
        if not isinstance(kept, list) or not isinstance(note.get("horizon"), int):
            raise DataError(f"{folder}: damaged (rows, horizon)")
        made = cls(Pretrained.load(folder / _NETWORK), horizon=note["horizon"])
        made.choice = None if note.get("choice") is None else Choice.from_json(note["choice"])
        made.calibration = Calibration.from_arrays(arrays)
        made._fitted = {str(name): read(folder / f"row-{i}") for i, name in enumerate(kept)}
        used = () if made.choice is None else made.choice.used()
        if {part for name in used for part in name.split(AND)} - {made.network.name} != {*made._fitted}:
            raise DataError(f"{folder}: damaged (the rows that were chosen are not those that are there)")
        return made


def held_back(hours: int) -> NDArray[np.int64]:
    """Origins whose day lies in the last half of a history, a week at most, ascending."""
    first = hours - DAY * min(_MOST_HELD, hours // DAY // 2)
    return np.arange(hours - DAY, first - 1, -_APART)[::-1].copy()


def _rows() -> tuple[Row, ...]:
    return Yesterday(), LastWeek(), Profile(), Autoregression(), Blend()


def _learnt(one: Forecaster, data: TrafficData, known: Flags) -> Forecaster:
    if isinstance(one, Row | Adapted):
        one.learn(data, known)  # without intervals, which are those of the whole
        return one
    return one.fit(data)


def _medians(one: Forecaster, data: TrafficData, known: Flags, horizon: int) -> Array:
    """Forecast `[H, N, S]` by a fitted row; NaN beyond its horizon, and for nodes that it does not know."""
    if isinstance(one, Row):
        return one.medians(data, known, horizon)
    if isinstance(one, Adapted):
        hour = data.start_hour + len(data.values)
        return one.quantiles(data.values, known, hour, horizon)[..., MEDIAN].astype(np.float64)
    made = one.predict(data)
    out = np.full((horizon, *data.values.shape[1:]), np.nan)
    place = {name: i for i, name in enumerate(data.node_ids)}
    nodes = [place[name] for name in made.history.node_ids]
    services = [data.services.index(name) for name in made.history.services]
    hours = min(horizon, len(made.values))
    out[np.ix_(range(hours), nodes, services)] = made.values[:hours]
    return out
