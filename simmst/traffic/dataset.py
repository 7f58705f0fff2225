"""TrafficData: a city's traffic as one array over time, node and service, checked at the door."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from simmst.errors import DataError, short
from simmst.io.atomic import atomic_file
from simmst.io.npz import read_npz
from simmst.traffic.file_fields import fields_of
from simmst.traffic.gap import Gap
from simmst.traffic.units import by_service, joined_units


@dataclass(frozen=True, slots=True)
class TrafficData:
    """Traffic of `N` nodes and `S` services at `T` regular steps of local time.

    Parameters
    ----------
    values : float32 array `[T, N, S]`
        Traffic, finite and not negative.
    start : datetime64
        Local time of the first step, `datetime64[m]`; a value covers the time up to the next step.
    step_minutes : int
        Length of a step in minutes.
    services : tuple of str
        Names of the services, `S` of them.
    node_ids : tuple of str
        Names of the nodes (grid squares, streets, cells), `N` of them.
    coordinates : float64 array `[N, 2]`, optional
        Longitude and latitude in degrees, or None where they are not known.
    units : str
        Unit of the values, "unknown" where the file does not say; "dl=MB, users=users" where services differ.
    gaps : tuple of Gap
        Times that were not recorded; the values there were filled.
    fill : str
        How they were filled: "none" (there was nothing to fill), "zero", "linear" (in time) or "days" (by the same
        time of the days before).
    missing : bool array [T, N, S], optional
        Single values that were not recorded, of nodes whose neighbours' were; they were filled by days.
    averaged : tuple of str
        Services whose values are levels (users, load), not amounts: their hours are means of finer steps, and
        their unit is not one an hour.

    Raises
    ------
    DataError
        If a shape, a name or a value is impossible; the message names the argument.
    """

    values: NDArray[np.float32]
    start: np.datetime64
    step_minutes: int
    services: tuple[str, ...]
    node_ids: tuple[str, ...]
    coordinates: NDArray[np.float64] | None = None
    units: str = "unknown"
    gaps: tuple[Gap, ...] = ()
    fill: str = "none"
    missing: NDArray[np.bool_] | None = None
    averaged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def __repr__(self) -> str:
        """Return what the data are in one line, without the values."""
        shape = " x ".join(map(str, self.values.shape))
        return (
            f"TrafficData({shape} values from {self.start} in steps of {self.step_minutes} minutes, "
            f"services {short(self.services)}, units {self.units!r}, {len(self.gaps)} gaps)"
        )

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Local time of each step, `datetime64[m]` `[T]`."""
        return self.start + np.arange(len(self.values)) * np.timedelta64(self.step_minutes, "m")

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Steps whose values were filled, wholly or in part, bool `[T, S]`."""
        filled = np.zeros((len(self.values), len(self.services)), dtype=bool)
        step = np.timedelta64(self.step_minutes, "m")
        for gap in self.gaps:
            overlap = (self.times < gap.stop) & (self.times + step > gap.start)
            filled[overlap, self.services.index(gap.service)] = True
        return filled

    @property
    def unrecorded(self) -> NDArray[np.bool_]:
        """Values that were filled, bool `[T, N, S]`: those of gaps, at all nodes, and `missing` ones."""
        in_gap = self.filled[:, None]
        return np.broadcast_to(in_gap, self.values.shape) if self.missing is None else self.missing | in_gap

    @property
    def known(self) -> NDArray[np.bool_]:
        """Values that were recorded, bool `[T, N, S]`: those in no gap and not `missing`."""
        return ~self.unrecorded

    def unit_of(self, service: str) -> str:
        """Return the unit of one service's values."""
        return by_service(self.units, self.services).get(service, self.units)

    @property
    def hours_per_step(self) -> float:
        """Length of a step in hours."""
        return self.step_minutes / 60

    @property
    def steps_per_day(self) -> int:
        """Number of steps in a day (a step that does not divide the day is refused at the door)."""
        return 1440 // self.step_minutes

    @property
    def start_hour(self) -> int:
        """Hour of the week of the first step; 0 is Monday's first."""
        # The epoch was a Thursday.
        return int(self.start.astype("datetime64[h]").astype(np.int64) + 72) % 168

    def hourly(self) -> TrafficData:
        """Bring finer steps to whole hours of the clock: summed, means of what is `averaged`.

        Part hours at either end are left out.

        Hourly data come back as they are, also where their hours begin at half past.

        Raises
        ------
        DataError
            If a step does not divide the hour, none begins on the hour, or there is no whole hour.
        """
        if self.step_minutes == 60:
            return self
        if 60 % self.step_minutes:
            raise DataError(f"step_minutes={self.step_minutes}: steps that do not divide the hour make no hours")
        minute = int((self.start - self.start.astype("datetime64[h]")) / np.timedelta64(1, "m"))
        if minute % self.step_minutes:
            raise DataError(
                f"start={self.start}: no step of {self.step_minutes} minutes begins on the hour, so they make "
                f"no hours"
            )
        steps = 60 // self.step_minutes
        first = (60 - minute) % 60 // self.step_minutes
        hours = (len(self.values) - first) // steps
        if hours < 1:
            raise DataError(
                f"values: {len(self.values)} steps of {self.step_minutes} minutes hold no whole hour of the clock"
            )
        values = self.values[first : first + hours * steps].reshape(hours, steps, *self.values.shape[1:])
        summed = values.sum(axis=1, dtype=np.float64)  # as many digits as the steps had
        summed[..., [self.services.index(name) for name in self.averaged]] /= steps
        missing = self.missing
        if missing is not None:
            parts = missing[first : first + hours * steps].reshape(hours, steps, *missing.shape[1:])
            missing = np.asarray(parts.any(axis=1))
        values, start = summed.astype(np.float32), self.times[first]
        return replace(self, values=values, start=start, step_minutes=60, missing=missing)

    def select(
        self,
        services: Sequence[str] | None = None,
        nodes: Sequence[str] | None = None,
        start: int | str | np.datetime64 | None = None,
        stop: int | str | np.datetime64 | None = None,
    ) -> TrafficData:
        """Part of the data, in the order asked for.

        Parameters
        ----------
        services, nodes : sequence of str, optional
            Names to keep; all by default.
        start, stop : int or str or datetime64, optional
            First step kept and first step left out: a step number, or a local time such as
            "2024-08-01T00:00".

        Raises
        ------
        DataError
            If a name is unknown (the known ones are listed) or no step is left.
        """
        first = 0 if start is None else self._step(start, "start")
        last = len(self.values) if stop is None else self._step(stop, "stop")
        if not 0 <= first < last <= len(self.values):
            raise DataError(
                f"start={start}, stop={stop}: leaves no steps or goes past the data, which have "
                f"{len(self.values)} steps from {self.times[0]} to {self.times[-1]}"
            )
        service_at = _positions(services, self.services, "service")
        node_at = _positions(nodes, self.node_ids, "node")
        return TrafficData(
            values=np.ascontiguousarray(self.values[first:last][:, node_at][:, :, service_at]),
            start=self.times[first],
            step_minutes=self.step_minutes,
            services=tuple(self.services[i] for i in service_at),
            node_ids=tuple(self.node_ids[i] for i in node_at),
            coordinates=None if self.coordinates is None else self.coordinates[node_at],
            units=joined_units({self.services[i]: self.unit_of(self.services[i]) for i in service_at}),
            gaps=tuple(gap for gap in self.gaps if gap.service in {self.services[i] for i in service_at}),
            fill=self.fill,
            missing=None if self.missing is None else self.missing[first:last][:, node_at][:, :, service_at],
            averaged=tuple(name for name in self.averaged if name in {self.services[i] for i in service_at}),
        )

    def _step(self, when: int | str | np.datetime64, argument: str) -> int:
        if isinstance(when, (int, np.integer)):
            return int(when)
        try:
            moment = np.datetime64(str(when), "m")
        except ValueError:
            raise DataError(f"{argument}={when!r}: not a time; write it as 2024-08-01T00:00") from None
        step, between = divmod(int((moment - self.start).astype(int)), self.step_minutes)
        if between:
            raise DataError(f"{argument}={when}: lies between two steps of {self.step_minutes} minutes")
        return step

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrafficData:
        """Read an npz file with `values`, `start`, `step_minutes`, `services`, and what is known of the nodes.

        The nodes are named by `node_ids`, or by `square_ids` (squares of the Telecom Italia grid of Milano,
        whose coordinates follow from the ids), or by their number. Optional are `lonlat` `[N, 2]`, `units`,
        `gaps` `[G, 3]` (service, start, stop) with `fill`, and `averaged`, names of services. Where the file
        states no units, or "unknown", a unit that every service name ends in ("5g_down_MB") moves to `units`.
        Pickled arrays are never read.

        Parameters
        ----------
        path : path-like
            The file.

        Raises
        ------
        DataError
            If the file is missing or damaged, lacks a key, or holds values that cannot be traffic.
        """
        try:
            keys = read_npz(path)
        except DataError as error:
            if not Path(path).is_file() or is_zipfile(path):
                raise
            hint = "docs/tutorials/own-traffic.md shows how to make one from a table"
            raise DataError(f"{error}; {hint}") from None
        for name in ("values", "start", "step_minutes", "services"):
            if name not in keys:
                raise DataError(f"{path}: the key {name!r} is missing (found: {', '.join(sorted(keys))})")
        try:
            return cls(**fields_of(keys))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the npz file that `load` reads; the file appears whole or not at all."""
        arrays: dict[str, Any] = {
            "values": self.values,
            "start": np.array(str(self.start)),
            "step_minutes": np.array(self.step_minutes),
            "services": np.array(self.services),
            "node_ids": np.array(self.node_ids),
            "units": np.array(self.units),
        }
        if self.gaps:
            arrays["gaps"], arrays["fill"] = np.array(self.gaps, dtype=str), np.array(self.fill)
        if self.coordinates is not None:
            arrays["lonlat"] = self.coordinates
        if self.missing is not None:
            arrays["missing"] = self.missing
        if self.averaged:
            arrays["averaged"] = np.array(self.averaged)
        with atomic_file(Path(path)) as stream:
            np.savez_compressed(stream, **arrays)


def _positions(wanted: Sequence[str] | None, known: tuple[str, ...], what: str) -> list[int]:
    if wanted is None:
        return list(range(len(known)))
    if isinstance(wanted, str):
        wanted = (wanted,)
    place = {name: i for i, name in enumerate(known)}
    unknown = [name for name in wanted if name not in place]
    if unknown or not wanted:
        listed = ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")
        asked = ", ".join(map(repr, unknown)) or "(none asked for)"
        raise DataError(f"unknown {what} {asked}; known: {listed}")
    return [place[name] for name in wanted]


def _check(data: TrafficData) -> None:
    """Refuse what cannot be traffic."""
    values = data.values
    if not isinstance(values, np.ndarray) or values.ndim != 3 or values.dtype != np.float32:
        raise DataError("values: must be a float32 array [T, N, S]")
    if values.size == 0:
        raise DataError(f"values: empty, shape {values.shape}")
    if isinstance(data.services, str) or isinstance(data.node_ids, str):
        raise DataError("services, node_ids: must be tuples of names, not one text")
    for name, size, axis in (("node_ids", values.shape[1], "N"), ("services", values.shape[2], "S")):
        names = getattr(data, name)
        if len(names) != size:
            raise DataError(f"{name}: {len(names)} names, but values [T, N, S] have {axis} = {size}")
        if len(set(names)) != size:
            raise DataError(f"{name}: a name occurs twice")
    if not isinstance(data.start, np.datetime64) or np.isnat(data.start):
        raise DataError(f"start: must be a local time (datetime64), not {data.start!r}")
    step = data.step_minutes
    if not isinstance(step, (int, np.integer)) or step < 1 or 1440 % step:
        raise DataError(f"step_minutes: must be whole, and divide the 1440 minutes of a day, not {step!r}")
    if unknown := [name for name in data.averaged if name not in data.services]:
        raise DataError(f"averaged: {unknown[0]!r} is none of the services {', '.join(data.services)}")
    missing = data.missing
    if missing is not None and (getattr(missing, "dtype", None) != np.bool_ or missing.shape != values.shape):
        raise DataError("missing: must be bool [T, N, S] as the values are")
    if data.coordinates is not None and (
        data.coordinates.shape != (values.shape[1], 2) or not np.isfinite(data.coordinates).all()
    ):
        raise DataError(f"coordinates: must be finite [N, 2] = [{values.shape[1]}, 2] (longitude, latitude)")
    for gap in data.gaps:
        if not isinstance(gap, Gap):
            raise DataError(f"gaps: {short(gap)} is no Gap(service, start, stop)")
        if gap.service not in data.services or not gap.start < gap.stop:
            raise DataError(f"gaps: {gap.service!r} from {gap.start} to {gap.stop} is no gap of a service here")
    _check_values(data)


def _check_values(data: TrafficData) -> None:
    # The minimum is NaN if any value is, so two cheap passes settle the usual case.
    if data.values.min() >= 0 and data.values.max() < np.inf:
        return
    for what, bad, mend in (
        ("NaN", np.isnan(data.values), "fill the gaps first and record how"),
        ("infinite", np.isinf(data.values), "mend the source"),
        ("negative", data.values < 0, "traffic in its own unit is needed, not z-scores"),
    ):
        if bad.any():
            t, n, s = np.argwhere(bad)[0]
            raise DataError(
                f"values: {int(bad.sum())} {what}, first at {data.times[t]}, node {data.node_ids[n]!r}, "
                f"service {data.services[s]!r}; {mend}"
            )
