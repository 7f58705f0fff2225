"""A folder of measurement files as hourly traffic: the files of 3GPP TS 32.435 and TS 28.532, in one call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.pm.build import extent_of, localised, placed
from simmst.traffic.pm.counters import Counters, check_found, counters_of
from simmst.traffic.pm.document import DamagedError, OtherFileError
from simmst.traffic.pm.measurements import Measurements, Rows, Rules, Suspect, Unknown
from simmst.traffic.pm.parts import Part, Parts, batches_of, files_of, part_of
from simmst.traffic.pm.report import PmReport, sentences
from simmst.traffic.table.clock import zone_of
from simmst.traffic.table.columns import coordinates_of
from simmst.traffic.table.complete import Grid, check_shares, complete
from simmst.traffic.table.limits import MaxValue, drop_above, limits_of
from simmst.traffic.table.report import TableReport
from simmst.traffic.units import joined_units

Progress = Callable[[int, int, str], None]
_LISTED = 40


def read_pm(
    folder: str | os.PathLike[str], counters: Mapping[str, tuple[str, str]], timezone: str, **options: Any
) -> TrafficData:
    """Read a folder of measurement files of 3GPP.

    What they lacked and what was done about it is said in the report of `simmst.traffic.pm.read.from_pm`, which
    this calls.

    Parameters
    ----------
    folder : path-like
        The folder, see `from_pm`.
    counters : mapping of str to tuple of 2 str
        Counters by their full names, each with its unit and "sum" or "mean":
        `{"DRB.PdcpSduVolumeDL": ("Mbit", "sum"), "RRC.ConnMean": ("users", "mean")}`.
    timezone : str
        Where people live by the clock, such as "Europe/Rome".
    **options
        As in `from_pm`: `nil`, `missing`, `suspect`, `utc`, `max_damaged`, `coordinates` and so on.

    Raises
    ------
    SimmstError
        If the files cannot be used; the message names the argument.
    """
    return from_pm(folder, counters, timezone, **options)[0]


def from_pm(
    folder: str | os.PathLike[str],
    counters: Mapping[str, tuple[str, str]],
    timezone: str,
    nil: Unknown = "unknown",
    missing: Unknown = "unknown",
    suspect: Suspect = "unknown",
    utc: bool = False,
    step_minutes: int | None = None,
    max_damaged: int = 0,
    coordinates: pl.DataFrame | None = None,
    max_missing: float = 0.05,
    gap_share: float = 0.1,
    max_value: MaxValue = None,
    parts: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[TrafficData, PmReport]:
    """Turn measurement files (TS 32.435, TS 28.532) into hourly traffic: a node an object, a service a counter.

    Files are read as streams, gzipped or not, and told by what is in them, not by their names. A node's name is
    dnPrefix, the element's localDn and measObjLdn, joined by commas. A value covers the period that ends at
    `endTime`, put on the clock's grid (see `simmst.traffic.pm.period.period_of`). What is unknown is treated as a
    table's missing values are, see `simmst.traffic.table.build.from_table`.

    Parameters
    ----------
    folder : path-like
        The files, in folders of any depth. Links and hidden files are not looked at.
    counters : mapping of str to tuple of 2 str
        Counters by their full names, each with its unit and "sum" (volumes, counts) or "mean" (percentages,
        means). A name means itself alone: sub-counters of it are others and are not added.
    timezone : str
        Where local time is of.
    nil, missing : Unknown
        What a result NIL, NULL or empty is, and one that an object's results leave out: "unknown" or "zero".
    suspect : Suspect
        What results of an object marked suspect are: "unknown", or "use" them.
    utc : bool
        Whether times without an offset are UTC; they are refused else.
    step_minutes : int, optional
        Length of the periods wanted; by default that of most values. Others are left out, and counted.
    max_damaged : int
        Files to leave out before giving up: cut off, not well-formed, hostile, or against the format.
    coordinates : DataFrame, optional
        Places of the nodes, see `simmst.traffic.table.columns.coordinates_of`, in the column "node".
    max_missing, gap_share, max_value : float, float, MaxValue
        As in `from_table`; `max_value` is of a period.
    parts : path-like, optional
        A folder that keeps what was read until the import is done, so that a call after an interruption reads only
        the files that are left or changed; the caller removes it by `Parts.clear`. None: in a temporary one.
    progress : Progress, optional
        Called after each batch of files with the number of files done, of all, and the last one's name.

    Returns
    -------
    tuple
        The data in hours, and what was found and done.

    Raises
    ------
    DataError
        If there is no file to read, too many are damaged, a counter has no value, or two files contradict each
        other.
    ConfigError
        If an option has no meaning.
    LockedError
        If another process imports with these parts.
    """
    check_shares(max_missing, gap_share)
    if max_damaged < 0:
        raise ConfigError(f"max_damaged={max_damaged}: must be 0 or more")
    rules = Rules(zone_of(timezone), utc, nil, missing, suspect)
    files, links = files_of(Path(folder), None if parts is None else Path(parts))
    if not counters:
        raise ConfigError(f"counters: name one at least (--counter NAME=UNIT:sum); {_listed(files, rules)}")
    wanted = counters_of(counters)
    limits = limits_of(max_value, wanted.names)
    with ExitStack() as stack:
        place = Path(parts) if parts is not None else Path(stack.enter_context(TemporaryDirectory()))
        kept = Parts(place, repr((wanted.names, rules)))
        stack.enter_context(kept.held())
        found = _Import(files, kept, wanted, rules, max_damaged)
        found.read(progress)
        check_found(wanted, found.seen, found.with_values)
        extent = extent_of(found.parts(), wanted.names, step_minutes)
        raw, repeats = placed(found.parts(), extent, wanted.names)
    too_large = drop_above(raw, limits)
    raw, start, clock, both = localised(raw, extent.begins[0], extent.step, rules.zone)
    counts = found.counts
    units = joined_units(wanted.units)
    of_table = TableReport(
        rows=counts["values"], duplicates=repeats, repeated=both, repeated_once=0, negative=counts["negative"],
        non_finite=counts["non_finite"], too_large=too_large,
    )  # fmt: skip
    grid = Grid(raw, start, extent.step, extent.nodes, wanted.names, units)
    places = None if coordinates is None else lambda nodes: coordinates_of(coordinates, "node", nodes)
    data, of_table = complete(grid, of_table, clock, wanted.mean, places, max_missing, gap_share)
    report = PmReport(
        counts["files"], found.before, links, tuple(found.damaged), tuple(found.others), counts["values"],
        counts["nil"], counts["missing"], counts["suspect"], extent.other, counts["moved"], found.moved, of_table,
    )  # fmt: skip
    return data, replace(report, sentences=tuple(sentences(report, extent, rules)))


class _Import:
    """The batches of a folder, read once and looked at as often as needed, one in memory at a time."""

    def __init__(
        self, files: Sequence[Path], kept: Parts, wanted: Counters, rules: Rules, max_damaged: int
    ) -> None:
        self._batches, self._kept, self._wanted, self._rules = batches_of(files), kept, wanted, rules
        self._total, self._max_damaged = len(files), max_damaged
        self._keys: list[str] = []
        self.counts = Rows().counts
        self.seen: set[str] = set()
        self.with_values: set[str] = set()
        self.damaged: list[str] = []
        self.others: list[str] = []
        self.moved = self.before = 0

    def read(self, progress: Progress | None) -> None:
        """Read the batches that are not kept yet."""
        done = 0
        for batch in self._batches:
            key = self._kept.key(batch)
            part = self._kept.load(key, len(self._wanted.names))
            if part is None:
                part = _part(batch, self._wanted, self._rules, self._max_damaged - len(self.damaged))
                self._kept.save(key, part)
            else:
                self.before += part.counts["files"]
            self._keys.append(key)
            self.counts += part.counts
            self.seen.update(part.seen)
            self.with_values.update(self._wanted.names[s] for s in set(part.service[part.value >= 0].tolist()))
            self.damaged += part.damaged
            self.others += part.others
            self.moved = max(self.moved, part.moved)
            _check_damaged(self.damaged, self._max_damaged)
            done += len(batch)
            if progress is not None:
                progress(done, self._total, batch[-1].name)
        if not self.counts["files"]:
            raise DataError(f"folder: none of {self._total} files is a measurement file, first {self.others[0]}")

    def parts(self) -> Iterator[Part]:
        """Look at the parts, one after the other."""
        for key in self._keys:
            part = self._kept.load(key, len(self._wanted.names))
            if part is None:
                raise DataError(f"{self._kept.folder}: was changed while the import ran; call it again")
            yield part


def _part(batch: Sequence[Path], wanted: Counters, rules: Rules, most_damaged: int) -> Part:
    rows, damaged, others = Rows(), [], []
    positions = {name: s for s, name in enumerate(wanted.names)}
    for path in batch:
        document = Measurements(positions, rules)
        try:
            document.read(path)
        except DamagedError as error:
            damaged.append(f"{path.name}: {error}")
            _check_damaged(damaged, most_damaged)
            continue
        except OtherFileError as error:
            others.append(f"{path.name}: {error}")
            continue
        rows.extend(document.rows)
        rows.counts.update(files=1, values=len(document.rows.value))
    return part_of(rows, damaged, others)


def _check_damaged(damaged: Sequence[str], most: int) -> None:
    if len(damaged) > most:
        more = f"{len(damaged)} files cannot be taken, more than max_damaged={most}; the last: " if most else ""
        raise DataError(f"{more}{damaged[-1]}; mend or remove it, or allow some to be left out (--max-damaged)")


def _listed(files: Sequence[Path], rules: Rules) -> str:
    """Name the counters of the first file that has any."""
    for path in files:
        document = Measurements({}, rules)
        try:
            document.read(path)
        except (DamagedError, OtherFileError):
            continue
        if names := sorted(document.rows.seen):
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            return f"{path.name} has {', '.join(names[:_LISTED])}{more}"
    return "no file has any"
