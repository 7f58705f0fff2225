"""The linear master of a model: HiGHS as it is, or, from some thousand columns on, the wide way to it."""

from typing import Any

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind, Polyhedron
from cutplane.masters.linear import LinearMaster, LinearSolution
from cutplane.programs.wide_lp import solve_wide

WIDE = 5000
"""Columns from which on the wide way is the faster one (`benchmarks/wide_lp.py`)."""


class WideMaster:
    """What `LinearMaster` solves, by `solve_wide`; where that has no answer, `LinearMaster` itself."""

    def __init__(self, model: Joint | Reduced) -> None:
        self._model, self._plain = model, LinearMaster(model)
        r = model.rows
        self._rows, self._rhs = np.vstack([r.A_ub, r.A_eq, -r.A_eq]), np.concatenate([r.b_ub, r.b_eq, -r.b_eq])
        self.set_multipliers = np.zeros(r.b_ub.size + r.b_eq.size)

    def solve(
        self, pool: Polyhedron, lower: Array, upper: Array, warm: dict[str, Array], has_objective: bool = True
    ) -> LinearSolution:
        """As `LinearMaster.solve`; `warm` keeps the multipliers by serial number, and the smoothing's width."""
        open_box = not (np.isfinite(lower).all() and np.isfinite(upper).all())
        if open_box or pool.bounding.all() == has_objective:
            return self._by_highs(pool, lower, upper, warm, has_objective)
        m = self._rhs.size
        epigraph = np.concatenate([np.zeros(m), pool.kinds == Kind.OBJECTIVE]) if has_objective else None
        normals = np.vstack([self._rows.astype(pool.normals.dtype), pool.normals]) if m else pool.normals
        found = solve_wide(
            np.zeros(self._model.n, dtype=normals.dtype), normals, np.concatenate([self._rhs, -pool.offsets]),
            lower.astype(float), upper.astype(float), epigraph, self._start(pool, warm),
        )  # fmt: skip
        if found.status == "failed":
            return self._by_highs(pool, lower, upper, warm, has_objective)
        p = self._model.rows.b_eq.size
        on_set, multipliers = found.multipliers[:m], found.multipliers[m:]
        on_equalities = on_set[m - 2 * p : m - p] - on_set[m - p :]
        self.set_multipliers = np.concatenate([on_set[: m - 2 * p], on_equalities])
        if found.status == "infeasible":
            conflict = tuple(int(s) for s in pool.serials[multipliers > 1e-12])
            return LinearSolution("infeasible", found.point, np.nan, 0 * multipliers, conflict, found.iterations)
        warm["wide_serials"], warm["wide_multipliers"] = pool.serials.copy(), multipliers
        warm["wide_set"], warm["wide_width"] = on_set, np.array(found.width)
        return LinearSolution("optimal", found.point, found.height, multipliers, (), found.iterations)

    def _start(self, pool: Polyhedron, warm: dict[str, Array]) -> tuple[Array, float] | None:
        if "wide_serials" not in warm:
            return None
        start = np.zeros(pool.size)
        _, now, then = np.intersect1d(pool.serials, warm["wide_serials"], return_indices=True)
        start[now] = warm["wide_multipliers"][then]
        return np.concatenate([warm["wide_set"], start]), float(warm["wide_width"])

    def _by_highs(
        self, pool: Polyhedron, lower: Array, upper: Array, warm: dict[str, Array], has_objective: bool
    ) -> LinearSolution:
        solution = self._plain.solve(pool, lower, upper, warm, has_objective)
        self.set_multipliers = self._plain.set_multipliers
        return solution


def make_master(model: Joint | Reduced) -> LinearMaster | WideMaster:
    """Return a new linear master for the model."""
    return WideMaster(model) if model.n >= WIDE else LinearMaster(model)


def master_of(model: Joint | Reduced, runtime: dict[str, Any]) -> LinearMaster | WideMaster:
    """Return the master kept in memory with a run, built where there is none yet."""
    if "lp" not in runtime:
        runtime["lp"] = make_master(model)
    master: LinearMaster | WideMaster = runtime["lp"]
    return master


def conflict(model: Joint | Reduced, pool: Polyhedron) -> tuple[int, ...]:
    """Serial numbers of planes that contradict each other on Z; none where some point satisfies all."""
    work = Polyhedron.from_arrays(pool.to_arrays())
    work.drop(np.flatnonzero(~work.bounding))
    return make_master(model).solve(work, model.lower, model.upper, {}, has_objective=False).conflict
