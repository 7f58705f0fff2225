"""From the daily files of the Telecom Italia data (Milano, Trentino) to one traffic file, day by day."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from simmst.errors import ConfigError, DataError
from simmst.traffic.telecom.city import City, Fill
from simmst.traffic.telecom.day import SERVICES, STEP_MINUTES, read_day
from simmst.traffic.telecom.parts import DayParts, DaySummary

#: Minutes of a step that `ingest` can make.
RESOLUTIONS = (10, 30, 60)
#: A daily file's name: which set it is of, and its local day.
FILE_NAME = re.compile(r"(?P<set>sms-call-internet-(?:mi|tn))-(?P<day>\d{4}-\d{2}-\d{2})\.txt")
_SHOWN = 20
# Days read at once; each takes about 150 MB.
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What `ingest` read and wrote.

    Parameters
    ----------
    path : Path
        The traffic file.
    days, missing_days : int
        Days that a file was read of, and days between them without a file.
    days_kept : int
        Days that an earlier, interrupted call had already read.
    squares, steps : int
        Nodes and steps of the traffic file.
    lines, n_malformed, malformed : int, int, tuple of str
        Lines read, number of malformed ones left out, and the first of these as "file:line: reason".
    gap_steps, filled : int
        Steps and services without any record at the resolution asked for, in part or in whole, and the number
        of values there (gap_steps times squares).
    silent : int
        Ten-minute values that are 0 because the square has no record where other squares have one.
    repeated : int
        Ten-minute steps that the end of daylight saving repeats; they hold the mean of both.
    """

    path: Path
    days: int
    missing_days: int
    days_kept: int
    squares: int
    steps: int
    lines: int
    n_malformed: int
    malformed: tuple[str, ...]
    gap_steps: int
    filled: int
    silent: int
    repeated: int


def ingest(
    raw_dir: str | os.PathLike[str],
    out: str | os.PathLike[str],
    resolution: int = 60,
    fill: Fill = "none",
    max_malformed: int = 100,
    progress: Callable[[int, int, str], None] | None = None,
) -> IngestReport:
    """Turn daily files into one traffic file that `TrafficData.load` reads; its units are "activity".

    Neither the raw files nor the result are ever whole in memory. Each day that was read is kept in the folder
    `<out>.parts` until the file is complete, so that a call after an interruption reads only the days that are
    left or whose file changed.

    By the data set's rule a square without a record had no activity: its value is 0. A ten-minute step at which
    no square has a record of a service is a gap: it is listed in the file's `gaps` and filled as chosen. Steps
    are of Italian local time, 24 hours every day: the hour that daylight saving skips in spring is a gap, the
    hour that it repeats in autumn holds the mean of both.

    Parameters
    ----------
    raw_dir : path-like
        Folder of the files `sms-call-internet-mi-2013-11-01.txt` and so on, of one set; others are ignored.
    out : path-like
        The traffic file, which must not exist.
    resolution : int
        Minutes of a step: 10, 30 or 60.
    fill : Fill
        What to do with gaps: "none" refuses them, "zero", or "linear" in time (held at the ends).
    max_malformed : int
        Malformed lines to leave out, of all files together, before giving up.
    progress : callable, optional
        Called after each day with the number done, the total, and the file's name.

    Raises
    ------
    DataError
        If there are no files, two of one day or of two sets, too many malformed lines, or gaps with `fill`
        "none".
    ConfigError
        If an option has no meaning.
    LockedError
        If another process makes this file.
    """
    if resolution not in RESOLUTIONS:
        raise ConfigError(f"resolution={resolution}: must be one of {', '.join(map(str, RESOLUTIONS))} minutes")
    if fill not in get_args(Fill):
        raise ConfigError(f"fill={fill!r}: must be one of {', '.join(get_args(Fill))}")
    if max_malformed < 0:
        raise ConfigError(f"max_malformed={max_malformed}: must be 0 or more")
    out = Path(out)
    if out.exists():
        raise DataError(f"{out}: exists already; remove it or choose another name")
    set_name, files = _daily_files(Path(raw_dir), fill)
    parts = DayParts(out.with_name(out.name + ".parts"))
    with parts.held():
        summaries, kept = _read_days(files, parts, max_malformed, progress)
        city = City(list(files), parts, summaries, fill, out)
        city.save(out, resolution, set_name)
        parts.remove()
    gaps = int((~city.recorded.reshape(-1, resolution // STEP_MINUTES, len(SERVICES)).all(axis=1)).sum())
    malformed = [line for summary in summaries for line in summary.malformed]
    return IngestReport(
        path=out,
        days=len(files),
        missing_days=city.n_days - len(files),
        days_kept=kept,
        squares=len(city.squares),
        steps=city.n_days * 1440 // resolution,
        lines=sum(summary.lines for summary in summaries),
        n_malformed=len(malformed),
        malformed=tuple(malformed[:_SHOWN]),
        gap_steps=gaps,
        filled=gaps * len(city.squares),
        # A square that a file doesn't name at all is as silent as one with an empty record.
        silent=sum(s.silent + int(s.recorded.sum()) * (len(city.squares) - len(s.squares)) for s in summaries),
        repeated=sum(summary.repeated for summary in summaries),
    )


def _daily_files(raw_dir: Path, fill: Fill) -> tuple[str, dict[np.datetime64, Path]]:
    """Find the files of one set by day, in order."""
    if not raw_dir.is_dir():
        raise DataError(f"raw_dir={raw_dir}: no such folder")
    found: dict[np.datetime64, Path] = {}
    sets = set()
    for path in sorted(raw_dir.iterdir()):
        match = FILE_NAME.fullmatch(path.name)
        if match and path.is_file():
            try:
                found[np.datetime64(match["day"], "D")] = path
            except ValueError:
                raise DataError(f"{path}: its name holds no day of the calendar") from None
            sets.add(match["set"])
    if len(sets) != 1:
        listed = " and ".join(sorted(sets)) or "no file such as sms-call-internet-mi-2013-11-01.txt"
        raise DataError(f"raw_dir={raw_dir}: must hold the daily files of one set, but has {listed}")
    days = list(found)
    missing = np.setdiff1d(np.arange(days[0], days[-1] + 1), days)
    if missing.size and fill == "none":
        raise DataError(
            f"raw_dir={raw_dir}: {missing.size} days between {days[0]} and {days[-1]} have no file, first "
            f"{missing[0]}; add them or choose fill=zero or fill=linear"
        )
    if missing.size > len(days):
        raise DataError(
            f"raw_dir={raw_dir}: {len(days)} files from {days[0]} to {days[-1]}, so most days are missing; give a "
            f"folder whose files follow each other"
        )
    return sets.pop(), dict(sorted(found.items()))


def _read_days(
    files: dict[np.datetime64, Path],
    parts: DayParts,
    max_malformed: int,
    progress: Callable[[int, int, str], None] | None,
) -> tuple[list[DaySummary], int]:
    """Read the days that are not kept yet, a few at a time."""

    def read(day: np.datetime64, path: Path) -> DaySummary:
        source = parts.source(path)
        return parts.save(day, source, read_day(path, day, max_malformed))

    # Looked up here and not by the threads: numpy's reader of headers is not safe among them (see `read_npz`), and
    # a day that seems damaged would be read again.
    known = {day: parts.summary(day, path) for day, path in files.items()}
    summaries: list[DaySummary] = []
    malformed = 0
    with ThreadPoolExecutor(min(_WORKERS, os.cpu_count() or 1)) as pool:
        try:
            jobs = {day: pool.submit(read, day, path) for day, path in files.items() if known[day] is None}
            for day, path in files.items():
                summary = known[day] or jobs[day].result()
                summaries.append(summary)
                malformed += len(summary.malformed)
                if malformed > max_malformed:
                    raise DataError(
                        f"{malformed} malformed lines up to {path.name}, more than max_malformed={max_malformed}; "
                        f"there: {summary.malformed[0]}"
                    )
                if progress is not None:
                    progress(len(summaries), len(files), path.name)
        finally:
            pool.shutdown(cancel_futures=True)
    return summaries, len(files) - len(jobs)
