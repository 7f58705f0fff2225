"""The linear master by HiGHS: min t over Z, a trust box, and the planes of a pool.

One model stays in memory; planes that came or went since the last solve are added and deleted in place,
and the basis is kept. Before each solve HiGHS's factorisation is dropped and the basis handed back, so
that a run resumed from a file takes the same pivots as one that never stopped. The unit of t follows from the
pool alone, for the same reason.
"""

from dataclasses import dataclass
from typing import Any, NoReturn

import highspy
import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind, Polyhedron
from cutplane.errors import EmptyPolyhedronError, MasterError
from cutplane.programs import highs

SCALE = "divide F, or set x_scale and y_scale, so that its slopes are nearer to 1"
"""What to try where a master's numbers are too far apart."""
_TOLERANCE = 1e-10
_MISSED = 1e-6
"""Violation of a row, relative to its terms, from which on an answer is not believed."""
_FLAT, _STEEP = 1e-6, 1e8
"""Slopes between which t has the unit 1. HiGHS drops entries below 1e-12, and overlooks t's beside one of 1e9."""
_DUAL_SIMPLEX, _PRIMAL_SIMPLEX = 1, 4
_FALLBACKS = ((_DUAL_SIMPLEX, _TOLERANCE), (_PRIMAL_SIMPLEX, _TOLERANCE), (_DUAL_SIMPLEX, 1e-7))
"""Simplex strategy and feasibility tolerance of further attempts."""


@dataclass(frozen=True, slots=True)
class LinearSolution:
    """Outcome of one linear master.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded", "failed"}
    point : ndarray of shape (n,)
    height : float
        Value of t, the master's optimum.
    multipliers : ndarray of shape (L,)
        Non-negative, in the order of the pool.
    conflict : tuple of int
        Serial numbers of planes that contradict each other, when infeasible.
    iterations : int
        Simplex iterations of this solve.
    """

    status: str
    point: Array
    height: float
    multipliers: Array
    conflict: tuple[int, ...]
    iterations: int

    def refuse(self) -> NoReturn:
        """Raise for a master that has no optimum: its planes contradict each other, or it could not be solved."""
        if self.status == "infeasible":
            raise EmptyPolyhedronError("the linear master is infeasible", self.conflict)
        raise MasterError(f"the linear master is {self.status}; {SCALE}")


class LinearMaster:
    """HiGHS model over columns (z, t); rows of the set first, then the planes by serial number."""

    def __init__(self, model: Joint | Reduced) -> None:
        self.n = model.n
        self._h: Any = highs.open_simplex(_TOLERANCE)
        h = self._h
        # HiGHS keeps old factors: a resumed run would differ
        highs.taken(h.setOptionValue("simplex_scale_strategy", 0), "the linear master's options")
        self._set(_DUAL_SIMPLEX, _TOLERANCE)
        infinity = h.getInfinity()
        highs.taken(h.addVars(self.n + 1, *np.full((2, self.n + 1), [[-infinity], [infinity]])), "its columns")
        highs.taken(h.changeColCost(self.n, 1.0), "the cost of t")
        self._serials: list[int] = []
        self._unit = 1.0
        """Of t and of the objective's planes, a power of two."""
        self._cleaned: set[int] = set()
        """Rows, by serial number, of which HiGHS left entries out."""
        rows = model.rows
        for i, (a, b) in enumerate(zip(rows.A_ub, rows.b_ub, strict=True)):
            self._add_row(-1 - i, a, 0.0, -infinity, float(b))
        for i, (a, b) in enumerate(zip(rows.A_eq, rows.b_eq, strict=True), rows.b_ub.size):
            self._add_row(-1 - i, a, 0.0, float(b), float(b))
        self._rows, self._fixed_rows = rows, rows.b_ub.size + rows.b_eq.size

    def _add_row(self, serial: int, normal: Array, height: float, lower: float, upper: float) -> None:
        index = np.flatnonzero(normal)
        values = normal[index].astype(float)
        if height:
            index, values = np.append(index, self.n), np.append(values / self._unit, height)
        status = self._h.addRow(lower, upper, index.size, index.astype(np.int32), values)
        if status != highspy.HighsStatus.kOk:
            largest = float(np.abs(values).max(initial=0.0))
            highs.taken(status, f"a plane of slope {largest:.0e} and side {upper:.0e}; {SCALE}")
            self._cleaned.add(serial)

    def sync(self, pool: Polyhedron) -> None:
        """Bring the model's plane rows in line with the pool, in place; all go where the unit of t changes."""
        wanted = {int(s): l for l, s in enumerate(pool.serials)}
        unit = _unit_of(pool.normals[~pool.bounding])
        kept = wanted if unit == self._unit else {}
        gone = [i for i, s in enumerate(self._serials) if s not in kept]
        if gone:
            rows = (np.array(gone) + self._fixed_rows).astype(np.int32)
            highs.taken(self._h.deleteRows(rows.size, rows), "to delete planes")
            self._serials = [s for s in self._serials if s in kept]
        self._unit, known = unit, set(self._serials)
        self._cleaned = {s for s in self._cleaned if s < 0 or s in known}
        for serial in sorted(s for s in wanted if s not in known):
            l = wanted[serial]
            height, offset = (-1.0, unit) if pool.kinds[l] == Kind.OBJECTIVE else (0.0, 1.0)
            upper = -float(pool.offsets[l]) / offset
            self._add_row(serial, pool.normals[l], height, -self._h.getInfinity(), upper)
            self._serials.append(serial)

    def _hand_back(self, warm: dict[str, Array]) -> None:
        """Start from the basis of the last solve: new rows are basic, rows that left need a stand-in."""
        known = dict(zip(warm["lp_serials"].tolist(), warm["lp_rows"].tolist(), strict=True))
        basic = int(highspy.HighsBasisStatus.kBasic)
        rows = [known.get(-1 - i, basic) for i in range(self._fixed_rows)]
        rows += [known.get(s, basic) for s in self._serials]
        columns = warm["lp_columns"].tolist()
        surplus = sum(s == basic for s in (*columns, *rows)) - len(rows)
        for i in range(len(rows) - 1, -1, -1):
            if surplus > 0 and rows[i] == basic:
                rows[i], surplus = int(highspy.HighsBasisStatus.kUpper), surplus - 1
        if surplus:
            return
        basis = highspy.HighsBasis()
        basis.col_status = [highspy.HighsBasisStatus(s) for s in columns]
        basis.row_status = [highspy.HighsBasisStatus(s) for s in rows]
        basis.valid = True
        highs.taken(self._h.setBasis(basis), "the basis of the last solve")

    def _take(self, warm: dict[str, Array]) -> None:
        basis = self._h.getBasis()
        fixed = np.arange(-1, -1 - self._fixed_rows, -1)
        warm["lp_columns"] = np.array([int(s) for s in basis.col_status], dtype=np.int8)
        warm["lp_rows"] = np.array([int(s) for s in basis.row_status], dtype=np.int8)
        warm["lp_serials"] = np.concatenate([fixed, np.array(self._serials)]).astype(np.int64)

    def solve(
        self, pool: Polyhedron, lower: Array, upper: Array, warm: dict[str, Array], has_objective: bool = True
    ) -> LinearSolution:
        """Solve over lower ≤ z ≤ upper and the pool.

        Parameters
        ----------
        pool : Polyhedron
        lower, upper : ndarray of shape (n,)
        warm : dict of arrays
            Where the basis of the last solve is kept, and put back.
        has_objective : bool
            Without objective planes t is held at 0.
        """
        self.sync(pool)
        h, n = self._h, self.n
        bounds = lower.astype(float), upper.astype(float)
        highs.taken(h.changeColsBounds(n, np.arange(n, dtype=np.int32), *bounds), "the bounds")
        infinity = h.getInfinity()
        highs.taken(h.changeColBounds(n, *((-infinity, infinity) if has_objective else (0.0, 0.0))), "bounds of t")
        highs.taken(h.clearSolver(), "to start afresh")
        if "lp_columns" in warm:
            self._hand_back(warm)
        status, iterations = self._run()
        solution = h.getSolution()
        row_values: dict[int, float] = {}
        conflict: tuple[int, ...] = ()
        self.set_multipliers = np.zeros(self._fixed_rows)
        if status == "optimal":
            self._take(warm)
            duals = -np.asarray(solution.row_dual)
            self.set_multipliers = duals[: self._fixed_rows] * self._unit
            if self._unit != 1.0:
                duals[self._fixed_rows :] *= self._on_dual(pool)
            row_values = dict(zip(self._serials, np.maximum(duals[self._fixed_rows :], 0.0), strict=True))
        elif status == "infeasible":
            conflict = self._conflict()
        multipliers = np.array([row_values.get(int(s), 0.0) for s in pool.serials])
        values = np.asarray(solution.col_value, dtype=float)
        solved = status == "optimal" and values.size == n + 1
        point = np.clip(values[:n], lower, upper) if solved else np.zeros(n)
        height = float(values[n]) * self._unit if solved else np.nan
        if solved and self._misses(pool, point, height):
            status = "failed"
        return LinearSolution(status, point, height, multipliers, conflict, iterations)

    def _on_dual(self, pool: Polyhedron) -> Array:
        """[rows of planes] Factor from the dual of a row as it stands in the model to the plane's multiplier."""
        objective = set(pool.serials[~pool.bounding].tolist())
        return np.array([1.0 if s in objective else self._unit for s in self._serials])

    def _misses(self, pool: Polyhedron, point: Array, height: float) -> bool:
        """Whether the answer misses a row by more than tolerances explain.

        Raises
        ------
        MasterError
            Where that is so because HiGHS left entries out of a row.
        """
        rows, far = self._rows, np.abs(point)
        off = np.concatenate([
            pool.residuals(point) - np.where(pool.bounding, 0.0, height),
            rows.A_ub @ point - rows.b_ub, np.abs(rows.A_eq @ point - rows.b_eq),
        ])  # fmt: skip
        size = np.concatenate([
            np.where(pool.bounding, 1.0, self._unit + abs(height)) + np.abs(pool.offsets),
            1.0 + np.abs(rows.b_ub), 1.0 + np.abs(rows.b_eq),
        ])  # fmt: skip
        if self._cleaned:
            serials = np.concatenate([pool.serials, np.arange(-1, -1 - self._fixed_rows, -1)])
            if np.any((off > 1e-8 * size)[np.isin(serials, list(self._cleaned))]):
                raise MasterError(
                    f"the linear master lost entries below {highs.KEPT:.0e} of a row that matter at a point as "
                    f"far as {float(far.max(initial=0.0)):.0e}; give x_scale and y_scale that make the two alike"
                )
        if not np.any(off > _MISSED * size):
            return False
        terms = np.concatenate([np.abs(A) @ far for A in (pool.normals, rows.A_ub, rows.A_eq)])
        return bool(np.any(off > _MISSED * (size + terms)))

    def _run(self) -> tuple[str, int]:
        """Run HiGHS, from scratch by other ways where nearly parallel planes defeat it; (status, iterations)."""
        status, iterations = self._status(), int(self._h.getInfo().simplex_iteration_count)
        for strategy, tolerance in _FALLBACKS:
            if status != "failed":
                break
            self._set(strategy, tolerance)
            highs.taken(self._h.clearSolver(), "to start afresh")
            status = self._status()
            iterations += int(self._h.getInfo().simplex_iteration_count)
            self._set(_DUAL_SIMPLEX, _TOLERANCE)
        return status, iterations

    def _set(self, strategy: int, tolerance: float) -> None:
        options: dict[str, float] = {"simplex_strategy": strategy}
        options |= {f"{side}_feasibility_tolerance": tolerance for side in ("primal", "dual")}
        for option, value in options.items():
            highs.taken(self._h.setOptionValue(option, value), f"the option {option} = {value}")

    def _status(self) -> str:
        return highs.run(self._h)

    def _conflict(self) -> tuple[int, ...]:
        """Planes in the Farkas certificate of infeasibility."""
        has_ray, ray = False, np.zeros(0)
        answer = self._h.getDualRay()
        if len(answer) == 3:
            has_ray, ray = bool(answer[1]), np.asarray(answer[2])
        if not has_ray or ray.size != len(self._serials) + self._fixed_rows:
            return tuple(self._serials)
        part = ray[self._fixed_rows :]
        return tuple(s for s, v in zip(self._serials, part, strict=True) if abs(v) > 1e-12)


def _unit_of(objective: Array) -> float:
    """Unit of t for the planes of the objective: 1 unless all their slopes are tiny, or one is huge."""
    steepest = float(np.abs(objective).max(initial=0.0))
    if _FLAT <= steepest <= _STEEP or steepest == 0.0:
        return 1.0
    return highs.power(steepest / (1.0 if steepest < _FLAT else _STEEP))
