"""The pool of planes: a_l·z + c_l ≤ 0, or ≤ t for planes of the objective; it grows in place."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane._kernels import dominated, implied
from cutplane.programs import dense_lp


class Kind(IntEnum):
    """What a plane came from."""

    OBJECTIVE = 0
    """Supports the objective from below: a·z + c ≤ t."""
    GAP = 1
    """Separates from {h ≤ ε}."""
    CONSTRAINT = 2
    """Separates from a coupled constraint."""
    LINEAR = 3
    """An exact linear row; never dropped."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One plane, a·z + c ≤ 0 (≤ t for the objective), before it enters a pool."""

    kind: Kind
    normal: Array
    offset: float


_COLUMNS: dict[str, Any] = {
    "kinds": np.int8, "serials": np.int64, "multipliers": np.float64, "idle": np.int64, "age": np.int64,
}  # fmt: skip


class Polyhedron:
    """A pool of planes in n variables, stored in place with room to grow.

    Planes other than those of the objective are scaled to unit normals, so that a residual is a distance
    and multipliers compare. `norms` keeps the factor.

    Parameters
    ----------
    n : int
        Number of variables.
    dtype : dtype
        float64 or float32, of the normals.
    cap : int
        Most planes kept, linear rows not counted. A full pool drops its longest-inactive plane, or, if
        all are active, replaces the two of smallest multipliers in one kind by their weighted sum, which
        is implied by them: nothing invalid enters, and the point that the multipliers certify stays.
        The last plane of the objective is never dropped.
    """

    def __init__(self, n: int, dtype: Any = np.float64, cap: int = 1000) -> None:
        self.n, self.cap = n, cap
        self.size = 0
        self.aggregated = 0
        self._next_serial = 0
        self._normals = np.zeros((0, n), dtype=dtype)
        self._offsets = np.zeros(0)
        self._norms = np.zeros(0)
        self._columns = {name: np.zeros(0, dtype=kind) for name, kind in _COLUMNS.items()}

    @property
    def normals(self) -> Array:
        """[L, n] normals, of unit length but for the objective's."""
        return self._normals[: self.size]

    @property
    def offsets(self) -> Array:
        """[L] offsets c_l."""
        return self._offsets[: self.size]

    @property
    def norms(self) -> Array:
        """[L] length of each normal before scaling."""
        return self._norms[: self.size]

    @property
    def kinds(self) -> Array:
        """[L] values of `Kind`."""
        return self._columns["kinds"][: self.size]

    @property
    def serials(self) -> Array:
        """[L] serial numbers, unique within a run."""
        return self._columns["serials"][: self.size]

    @property
    def next_serial(self) -> int:
        """Serial number that the next plane will get."""
        return self._next_serial

    @property
    def multipliers(self) -> Array:
        """[L] multipliers of the last step or master (of the scaled planes)."""
        return self._columns["multipliers"][: self.size]

    @property
    def idle(self) -> Array:
        """[L] number of checks in a row at which the plane was inactive."""
        return self._columns["idle"][: self.size]

    @property
    def age(self) -> Array:
        """[L] number of checks since the plane was added."""
        return self._columns["age"][: self.size]

    @property
    def bounding(self) -> Array:
        """[L] True for planes that bound the point (all but the objective's)."""
        return np.not_equal(self.kinds, Kind.OBJECTIVE)

    def add(self, plane: Plane) -> int:
        """Add a plane, making room if the pool is full; return its serial number, −1 for a duplicate."""
        length = float(np.linalg.norm(plane.normal))
        if plane.kind == Kind.OBJECTIVE:
            length = 1.0
        elif length == 0.0:
            return -1
        normal, offset = (plane.normal / length).astype(self._normals.dtype), plane.offset / length
        if self._is_duplicate(plane.kind, normal, offset):
            return -1
        if plane.kind != Kind.LINEAR:
            while int(np.sum(self.kinds != Kind.LINEAR)) >= self.cap:
                self._make_room()
        return self._append(plane.kind, normal, offset, length)

    def _append(self, kind: int, normal: Array, offset: float, length: float) -> int:
        if self.size == self._offsets.size:
            self._grow(max(8, 2 * self.size))
        l, self.size = self.size, self.size + 1
        self._normals[l], self._offsets[l], self._norms[l] = normal, offset, length
        for name in _COLUMNS:
            self._columns[name][l] = 0
        self.kinds[l], self.serials[l] = kind, self._next_serial
        self._next_serial += 1
        return self._next_serial - 1

    def _grow(self, capacity: int) -> None:
        # Rows are appended far more often than the store grows, so that a plane costs O(n) on average.
        normals = np.zeros((capacity, self.n), dtype=self._normals.dtype)
        normals[: self.size] = self.normals
        self._normals = normals
        pad = capacity - self._offsets.size
        self._offsets = np.pad(self._offsets, (0, pad))
        self._norms = np.pad(self._norms, (0, pad))
        self._columns = {name: np.pad(value, (0, pad)) for name, value in self._columns.items()}

    def _is_duplicate(self, kind: Kind, normal: Array, offset: float) -> bool:
        close = np.flatnonzero((self.kinds == kind) & (np.abs(self.offsets - offset) <= 1e-14 * (1 + abs(offset))))
        return any(bool(np.all(np.abs(self.normals[l] - normal) <= 1e-14)) for l in close)

    def _make_room(self) -> None:
        """Drop a plane that has been at rest, else merge two at work, else drop the oldest one at rest."""
        objective = np.flatnonzero(self.kinds == Kind.OBJECTIVE)
        # without any objective plane a master has no bottom
        spared = objective[-1:] if objective.size == 1 else objective[:0]
        candidates = np.setdiff1d(np.flatnonzero(self.kinds != Kind.LINEAR), spared)
        quiet = candidates[self.multipliers[candidates] <= 0.0]
        # a plane that no check has seen yet had no chance to be at work
        rested = quiet[self.age[quiet] > 0]
        if rested.size:
            first = np.lexsort((-self.age[rested], -self.idle[rested]))[0]
            self.drop(rested[[first]])
            return
        busy = candidates[self.multipliers[candidates] > 0.0]
        busy = busy[np.argsort(self.multipliers[busy], kind="stable")]
        for i, first in enumerate(busy):
            for second in busy[i + 1 :]:
                if self.kinds[first] == self.kinds[second] and self._can_merge(first, second):
                    self.aggregate(np.array([first, second]))
                    return
        rest = quiet if quiet.size else candidates
        self.drop(rest[[np.argmin(self.serials[rest])]])

    def _can_merge(self, first: int, second: int) -> bool:
        """Whether the weighted sum still has a direction: opposite planes cancel, and nothing is left of them."""
        if self.kinds[first] == Kind.OBJECTIVE:
            return True
        a, b = self.multipliers[first], self.multipliers[second]
        return bool(np.linalg.norm(a * self.normals[first] + b * self.normals[second]) > 1e-6 * (a + b))

    def aggregate(self, which: Array) -> int:
        """Replace planes of one kind by the sum weighted with their multipliers; return its serial."""
        weights = self.multipliers[which].copy()
        total = float(weights.sum())
        kind = int(self.kinds[which[0]])
        normal = weights @ self.normals[which]
        offset = float(weights @ self.offsets[which])
        length = total if kind == Kind.OBJECTIVE else float(np.linalg.norm(normal))
        norm = float(np.max(self.norms[which]))
        self.drop(which)
        self.aggregated += len(which)
        serial = self._append(kind, normal / length, offset / length, norm)
        self.multipliers[self.size - 1] = length
        return serial

    def drop(self, which: Array) -> None:
        """Remove the planes at the given positions; the last planes take their places."""
        for l in sorted((int(i) for i in which), reverse=True):
            last = self.size - 1
            if l != last:
                for store in (self._normals, self._offsets, self._norms, *self._columns.values()):
                    store[l] = store[last]
            self.size = last

    def clear(self) -> int:
        """Remove all planes but the linear rows; return how many."""
        gone = np.flatnonzero(self.kinds != Kind.LINEAR)
        self.drop(gone)
        return int(gone.size)

    def residuals(self, z: Array) -> Array:
        """[L] a_l·z + c_l: a distance for unit normals, positive where z is cut off."""
        return self.normals @ z + self.offsets

    def note_activity(self, active: Array) -> None:
        """Count one check: `active` [L] tells which planes were at work."""
        self.age[:] += 1
        self.idle[:] = np.where(active, 0, self.idle + 1)

    def drop_inactive(self, patience: int, max_age: int | None = None) -> int:
        """Drop planes inactive for `patience` checks, and inactive ones older than `max_age`."""
        gone = self.idle >= patience
        if max_age is not None:
            gone |= (self.age >= max_age) & (self.idle > 0)
        positions = np.flatnonzero(gone & (self.kinds != Kind.LINEAR))
        self.drop(positions)
        return int(positions.size)

    def drop_implied_by_last(self, lower: Array, upper: Array) -> int:
        """Drop the planes that the plane added last implies on the box."""
        last = self.size - 1
        alike = np.flatnonzero((self.kinds[:last] == self.kinds[last]) & (self.kinds[:last] != Kind.LINEAR))
        gone = alike[implied(self.normals, self.offsets, alike, last, lower, upper)]
        self.drop(gone)
        return len(gone)

    def drop_dominated(self, lower: Array, upper: Array) -> int:
        """Drop planes that one other plane implies on the box (equal ones on any box)."""
        out = dominated(self.normals, self.offsets, self.kinds, lower, upper)
        positions = np.flatnonzero(out & (self.kinds != Kind.LINEAR))
        self.drop(positions)
        return int(positions.size)

    def redundant(self, lower: Array, upper: Array, tolerance: float = 1e-9) -> Array:
        """Positions of bounding planes that the others together imply on a box: one LP a plane.

        Parameters
        ----------
        lower, upper : ndarray of shape (n,)
            The box.
        tolerance : float
            Distance by which a plane may cut into the others' region and still count as implied.
        """
        found: list[int] = []
        keep = np.flatnonzero(self.bounding)
        for l in keep:
            others = [k for k in keep if k != l and k not in found]
            if self.kinds[l] == Kind.LINEAR:
                continue
            normal, rows = self.normals[l].astype(float), self.normals[others].astype(float)
            rhs = -self.offsets[others]
            lp = dense_lp.minimise(-normal, rows, rhs, lower, upper)
            if lp.status == "optimal":
                # by the multipliers, whatever the point: a plane that is at work must not go
                value, rounding, _ = dense_lp.dual_value(-normal, rows, rhs, lower, upper, lp.multipliers)
                if rounding - value + self.offsets[l] <= tolerance:
                    found.append(int(l))
        return np.array(found, dtype=np.int64)

    def to_arrays(self) -> dict[str, Array]:
        """Everything the pool holds, as arrays."""
        numbers = np.array([self.n, self.cap, self.aggregated, self._next_serial], dtype=np.int64)
        columns = {name: value[: self.size].copy() for name, value in self._columns.items()}
        return {
            "normals": self.normals.copy(), "offsets": self.offsets.copy(), "norms": self.norms.copy(),
            "numbers": numbers, **columns,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> "Polyhedron":
        """Rebuild a pool from `to_arrays`."""
        n, cap, aggregated, serial = (int(v) for v in arrays["numbers"])
        pool = cls(n, arrays["normals"].dtype, cap)
        pool._normals, pool._offsets, pool._norms = arrays["normals"], arrays["offsets"], arrays["norms"]
        pool._columns = {name: arrays[name].astype(kind) for name, kind in _COLUMNS.items()}
        pool.size, pool.aggregated, pool._next_serial = len(pool._offsets), aggregated, serial
        return pool
