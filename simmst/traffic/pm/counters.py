"""Which counters are wanted, in which unit, and how they become hours: what the files do not say."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simmst.errors import ConfigError, DataError, short

_HOW = ("sum", "mean")


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters by their full names.

    Parameters
    ----------
    units : mapping of str to str
        Unit of each, by name.
    mean : tuple of str
        Those that are averaged to hours; the others are summed.
    """

    units: Mapping[str, str]
    mean: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order wanted: the services."""
        return tuple(self.units)


def counters_of(wanted: Any) -> Counters:
    """Take what a user wants.

    Parameters
    ----------
    wanted : object
        A mapping of names to (unit, "sum" or "mean").

    Raises
    ------
    ConfigError
        If there is none, or an entry is no such pair.
    """
    if not isinstance(wanted, Mapping) or not wanted:
        raise ConfigError(
            "counters: name one at least with its unit and sum or mean: {'DRB.PdcpSduVolumeDL': ('Mbit', 'sum')} "
            "(--counter DRB.PdcpSduVolumeDL=Mbit:sum)"
        )
    units = {}
    for name, told in wanted.items():
        pair = tuple(told) if isinstance(told, (tuple, list)) else ()
        good = all(isinstance(word, str) and word.strip() for word in pair)
        if not good or len(pair) != 2 or pair[1] not in _HOW:
            raise ConfigError(
                f"counters: {name!r} needs its unit and sum or mean, such as ('MB', 'sum'), not {short(told)}: "
                f"volumes and counts are summed to hours, percentages and means are averaged"
            )
        units[str(name)] = pair[0].strip()
    return Counters(units, tuple(str(name) for name, told in wanted.items() if told[1] == "mean"))


def parsed(texts: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Read counters as the command line has them: "NAME=UNIT:sum" or "NAME=UNIT:mean".

    Raises
    ------
    ConfigError
        If one is written otherwise, or named twice.
    """
    found: dict[str, tuple[str, str]] = {}
    for text in texts:
        rest, _, how = text.rpartition(":")
        name, _, unit = rest.rpartition("=")  # names may hold an equals sign, units not
        if not name or not unit or how not in _HOW:
            raise ConfigError(f"counter={text!r}: write it as DRB.PdcpSduVolumeDL=Mbit:sum, or with :mean")
        if name in found:
            raise ConfigError(f"counter={text!r}: {name} is named twice")
        found[name] = unit, how
    return found


def check_found(counters: Counters, seen: Collection[str], with_values: Collection[str]) -> None:
    """Refuse counters of which the files have nothing.

    Parameters
    ----------
    counters : Counters
        What is wanted.
    seen : collection of str
        All names of counters in the files.
    with_values : collection of str
        Those wanted that have a value.

    Raises
    ------
    DataError
        With the names that are nearest; sub-counters, which have the name and a filter, come first.
    """
    for name in counters.names:
        if name in with_values:
            continue
        if name in seen:
            raise DataError(f"counters: {name} has no value in any file, only NIL, suspect or missing ones")
        parts = sorted(other for other in seen if other.startswith((f"{name}.", f"{name}_")))
        near = parts or difflib.get_close_matches(name, sorted(seen), n=8, cutoff=0.4) or sorted(seen)
        what = "; they have only parts of it, which are not added up: " if parts else "; they have "
        listed = ", ".join(near[:8]) + (f" and {len(near) - 8} more" if len(near) > 8 else "")
        raise DataError(f"counters: no file has {name}{what}{listed or 'no counter at all'}")
