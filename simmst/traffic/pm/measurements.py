"""One measurement file of 3GPP, TS 32.435 or TS 28.532, as values of the wanted counters by object and period."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args
from zoneinfo import ZoneInfo

import numpy as np

from simmst.errors import ConfigError
from simmst.traffic.pm.document import DamagedError, Document, OtherFileError
from simmst.traffic.pm.period import Period, period_of
from simmst.traffic.table.columns import ABSENT

#: The namespaces of the two formats; some writers leave theirs out.
NAMESPACES = (
    "http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec",
    "http://www.3gpp.org/ftp/specs/archive/28_series/28.532#measData",
)
ROOTS = ("measCollecFile", "measDataFile")
_ELEMENTS = ("managedElement", "measEntity")  # of the former and the latter
_MOST_NAMES = 100_000
_PLACE = "place "  # in front of the position of a counter that has no p

Unknown = Literal["unknown", "zero"]
Suspect = Literal["unknown", "use"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a user says of the values.

    Parameters
    ----------
    zone : ZoneInfo
        Where local time is of.
    utc : bool
        Whether ends without an offset are UTC.
    nil : Unknown
        What NIL, NULL and empty results are.
    missing : Unknown
        What counters are that an object's results leave out.
    suspect : Suspect
        What results are that are marked suspect.

    Raises
    ------
    ConfigError
        If one of the last three is another word.
    """

    zone: ZoneInfo
    utc: bool = False
    nil: Unknown = "unknown"
    missing: Unknown = "unknown"
    suspect: Suspect = "unknown"

    def __post_init__(self) -> None:
        for name, known in (("nil", Unknown), ("missing", Unknown), ("suspect", Suspect)):
            if getattr(self, name) not in get_args(known):
                raise ConfigError(f"{name}={getattr(self, name)!r}: must be {' or '.join(get_args(known))}")


@dataclass(slots=True)
class Rows:
    """Values of many files, a row each; NaN where it is unknown.

    Parameters
    ----------
    begin : array
        Minutes since 1970 in UTC.
    minutes : array
        Length of the period, 0 where it has no place on the clock.
    node, service : array
        Positions in `nodes` and in the wanted counters.
    value : array
        The value.
    nodes : dict of str to int
        Names of objects, with their positions.
    seen : set of str
        All names of counters in the files.
    counts : Counter
        How many values were nil, missing, suspect, negative or infinite, how many periods were moved to the grid.
    moved : int
        The most seconds that one was moved.
    """

    begin: array[int] = field(default_factory=lambda: array("i"))
    minutes: array[int] = field(default_factory=lambda: array("h"))
    node: array[int] = field(default_factory=lambda: array("i"))
    service: array[int] = field(default_factory=lambda: array("h"))
    value: array[float] = field(default_factory=lambda: array("d"))
    nodes: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    moved: int = 0

    def extend(self, other: Rows) -> None:
        """Add the rows of one more file."""
        place = np.array([self.nodes.setdefault(name, len(self.nodes)) for name in other.nodes], dtype=np.int32)
        self.node.frombytes(place[np.array(other.node)].tobytes() if len(place) else b"")
        for name in ("begin", "minutes", "service", "value"):
            getattr(self, name).extend(getattr(other, name))
        self.seen |= other.seen
        self.counts += other.counts
        self.moved = max(self.moved, other.moved)


class Measurements(Document):
    """Read a file into rows.

    Parameters
    ----------
    wanted : dict of str to int
        Positions of the wanted counters by their full names. Sub-counters (`NAME.QOS`, `NAME_Filter`) have names
        of their own, and are others.
    rules : Rules
        What a user says of the values.
    """

    def __init__(self, wanted: dict[str, int], rules: Rules) -> None:
        super().__init__()
        self.rows = Rows()
        self._wanted, self._rules = wanted, rules
        self._begins: dict[str, Callable[[dict[str, str]], None]] = {}
        self._ends: dict[str, Callable[[], None]] = {}
        self._prefix = self._sender = self._element = ""
        self._period: Period | None = None
        self._types: dict[str, str] = {}  # names by p, or by position
        self._columns: dict[str, int] = {}  # positions of the wanted ones among them
        self._object = ""
        self._texts: dict[int, str] = {}
        self._r = self._p = ""
        self._suspect = False
        self._periods: dict[tuple[str, str], Period] = {}

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of a tag."""
        if name == self._r:  # most tags are
            self._p = attributes.get("p", "")
            if self._p in self._columns:
                self.listen()
            elif self._p not in self._types:
                raise DamagedError(f"a result of {self._object!r} has p={self._p!r}, which names no counter")
        elif not self._begins:
            self._root(name)
        elif name in self._begins:
            self._begins[name](attributes)

    def finish(self, name: str) -> None:
        """Take the end of a tag."""
        if name == self._r:
            if self._p in self._columns:
                self._take(self._columns[self._p], self.heard())
        elif name in self._ends:
            self._ends[name]()

    def _root(self, name: str) -> None:
        space, _, local = name.rpartition(" ")
        if local not in ROOTS or space not in ("", *NAMESPACES):
            raise OtherFileError(f"its root is {local[:60]} of {space[:90] or 'no namespace'}")
        start = f"{space} " if space else ""
        begins: dict[str, Callable[[dict[str, str]], None]] = {
            "fileHeader": self._header,
            "fileSender": self._from,
            "measInfo": self._info,
            "granPeriod": self._gran,
            "measType": self._type,
            "measTypes": lambda _: self.listen(),
            "measValue": self._of,
            "measResults": lambda _: self.listen(),
            "suspect": lambda _: self.listen(),
            "measData": self._body,
            **dict.fromkeys(_ELEMENTS, self._of_element),
        }
        ends: dict[str, Callable[[], None]] = {
            "measType": self._typed,
            "measTypes": self._all_types,
            "measResults": self._all_results,
            "suspect": self._suspected,
            "measValue": self._whole,
        }
        self._begins = {start + tag: take for tag, take in begins.items()}
        self._ends = {start + tag: take for tag, take in ends.items()}
        self._r = f"{start}r"

    def _header(self, attributes: dict[str, str]) -> None:
        self._prefix = attributes.get("dnPrefix", "").strip()

    def _from(self, attributes: dict[str, str]) -> None:
        self._sender = (attributes.get("localDn") or attributes.get("senderName") or "").strip()

    def _body(self, _: dict[str, str]) -> None:
        self._element = ""

    def _of_element(self, attributes: dict[str, str]) -> None:
        self._element = attributes.get("localDn", "").strip()

    def _info(self, _: dict[str, str]) -> None:
        self._period = None
        self._types, self._columns = {}, {}  # p means nothing outside its measInfo

    def _gran(self, attributes: dict[str, str]) -> None:
        key = attributes.get("duration", ""), attributes.get("endTime", "")
        if key not in self._periods:
            found = period_of(*key, self._rules.zone, self._rules.utc)
            self._periods[key] = found
            self.rows.moved = max(self.rows.moved, abs(found.moved))
            self.rows.counts["moved"] += found.moved != 0
        self._period = self._periods[key]

    def _type(self, attributes: dict[str, str]) -> None:
        self._p = attributes.get("p", "")
        self.listen()

    def _typed(self) -> None:
        self._name(self._p, self.heard())

    def _all_types(self) -> None:
        for position, name in enumerate(self.heard().split()):
            self._name(f"{_PLACE}{position}", name)

    def _name(self, p: str, name: str) -> None:
        if p in self._types:
            raise DamagedError(f"p={p!r} names two counters of one measInfo, {self._types[p]} and {name}")
        self._types[p] = name
        self.rows.seen.add(name)
        if len(self.rows.seen) > _MOST_NAMES:
            raise DamagedError(f"has more than {_MOST_NAMES:,} names of counters")
        if name in self._wanted:
            if self._wanted[name] in self._columns.values():
                raise DamagedError(f"{name} is twice in one measInfo")
            self._columns[p] = self._wanted[name]

    def _of(self, attributes: dict[str, str]) -> None:
        self._object, self._suspect = attributes.get("measObjLdn", "").strip(), False
        self._texts.clear()

    def _all_results(self) -> None:
        texts = self.heard().split()
        if len(texts) != len(self._types):
            raise DamagedError(f"{self._object!r} has {len(texts)} results of {len(self._types)} counters")
        for p, service in self._columns.items():
            if not p.startswith(_PLACE):
                raise DamagedError(f"{self._object!r} has its results in one text, but its counters have p")
            self._take(service, texts[int(p.removeprefix(_PLACE))])

    def _take(self, service: int, text: str) -> None:
        if service in self._texts:
            raise DamagedError(f"{self._object!r} has two results of one counter")
        self._texts[service] = text

    def _suspected(self) -> None:
        text = self.heard().lower()
        if text not in ("true", "false", "1", "0"):
            raise DamagedError(f"suspect of {self._object!r} is {text[:60]!r}, neither true nor false")
        self._suspect = text in ("true", "1")

    def _whole(self) -> None:
        """Keep the results of one object."""
        if not self._columns:
            return
        if self._period is None:
            raise DamagedError(f"{self._object!r} has results without a granPeriod before them")
        rows = self.rows
        parts = self._prefix, self._element or self._sender, self._object
        node = rows.nodes.setdefault(",".join(part for part in parts if part), len(rows.nodes))
        for service in self._columns.values():
            rows.begin.append(self._period.begin)
            rows.minutes.append(self._period.minutes)
            rows.node.append(node)
            rows.service.append(service)
            rows.value.append(self._value(self._texts.get(service)))

    def _value(self, text: str | None) -> float:
        """Turn a result into a number, NaN where it is unknown; of one that is suspect nothing else is asked."""
        counts, rules = self.rows.counts, self._rules
        if self._suspect:
            counts["suspect"] += 1
            if rules.suspect == "unknown":
                return math.nan
        if text is None:
            counts["missing"] += 1
            return 0.0 if rules.missing == "zero" else math.nan
        try:
            value = float(text)
        except ValueError:
            if text.lower() in ABSENT:
                counts["nil"] += 1
                return 0.0 if rules.nil == "zero" else math.nan
            value = math.nan
        if (math.isnan(value) and text.lower() != "nan") or "_" in text:
            several = ": a counter of several values is no service" if "," in text else ""
            raise DamagedError(f"the result {text[:60]!r} of {self._object!r} is no number{several}")
        if not 0 <= value < math.inf:
            counts["negative" if value < 0 and value > -math.inf else "non_finite"] += 1
            return math.nan
        return value
