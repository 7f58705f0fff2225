"""The problem linearised at a point, in a small box around it: how far F could fall, and in which direction.

At a kink one gradient promises a fall that is none. So gradients of points beside the point may be learnt: what
they promise together is small where the point is stationary in the sense of Goldstein (Mathematical Programming
1977), that is, where a convex combination of gradients from its neighbourhood is.
"""

import numpy as np

from cutplane._arrays import Array
from cutplane.core.cuts import gradient_cut
from cutplane.core.formulations import Joint, Reduced
from cutplane.core.pool import Kind, Plane, Polyhedron
from cutplane.errors import MasterError
from cutplane.masters.wide import make_master

NEAR = 1e-4
"""Half-width of the box, in units."""


def units_of(model: Joint | Reduced, z: Array) -> Array:
    """What counts as a unit of each scaled variable: max(1, its size), at most the width of its set."""
    units: Array = np.minimum(np.maximum(1.0, np.abs(z.astype(float))), model.upper - model.lower)
    return np.maximum(units, np.finfo(float).tiny)


class Linearised:
    """F, the constraints and the sets at z, to first order; nothing that was made elsewhere.

    Parameters
    ----------
    model : Joint or Reduced
    z : ndarray of shape (n,)
        Feasible: what it misses a constraint by is taken for rounding.
    """

    def __init__(self, model: Joint | Reduced, z: Array) -> None:
        self.model, self.units = model, units_of(model, z)
        self.reach = NEAR * self.units
        self.at = np.clip(z.astype(float), model.lower, model.upper)
        self.lower = np.maximum(model.lower, self.at - self.reach)
        self.upper = np.minimum(model.upper, self.at + self.reach)
        self.pool = Polyhedron(model.n, float, 10**9)
        self._falls(model.objective(z)[1])
        for plane in _constraints(model, z):
            if _excess(plane, self.at) + float(np.abs(plane.normal) @ self.reach) > 0.0:  # it cuts into the box
                self.pool.add(plane)

    def _falls(self, gradient: Array) -> None:
        gradient = gradient.astype(float)
        self.pool.add(Plane(Kind.OBJECTIVE, gradient, -float(gradient @ self.at)))

    def learn(self, point: Array) -> None:
        """Take the gradient of F at a point nearby, and the constraints that it violates, to hold at z too."""
        self._falls(self.model.objective(point)[1])
        for piece in self.model.pieces(point)[1]:
            if piece.value > 0.0 and piece.gradient.any():
                plane = gradient_cut(piece.kind, point, piece.value, piece.gradient.astype(float))
                self.pool.add(Plane(plane.kind, plane.normal, plane.offset - max(_excess(plane, self.at), 0.0)))

    def against(self, slopes: list[Array]) -> Array:
        """Direction (units) in which F falls by each of these slopes (per unit), within constraints and sets."""
        self.pool.drop(np.flatnonzero(~self.pool.bounding))
        for slope in slopes:
            self._falls(slope / self.units)
        return self.solve()[1]

    def beside(self, point: Array) -> list[Plane]:
        """F and the constraints at a point nearby, to first order, as if z lay on the same pieces of them."""
        gradient = self.model.objective(point)[1].astype(float)
        planes = [Plane(Kind.OBJECTIVE, gradient, -float(gradient @ self.at))]
        found = [
            gradient_cut(piece.kind, point, piece.value, piece.gradient.astype(float))
            for piece in self.model.pieces(point)[1] if piece.gradient.any()
        ]  # fmt: skip
        found += self.model.answer_planes(point) if isinstance(self.model, Reduced) else self.model.linear_planes()
        for plane in found:
            held = Plane(plane.kind, plane.normal, plane.offset - max(_excess(plane, self.at), 0.0))
            if _excess(held, self.at) + float(np.abs(held.normal) @ self.reach) > 0.0:
                planes.append(held)
        return planes

    def along(self, planes: list[Plane], inwards: float = 0.0) -> tuple[float, Array]:
        """As `solve`, by these planes alone; `inwards` is a share of their reach to stay inside constraints."""
        pool = Polyhedron(self.model.n, float, 10**9)
        for plane in planes:
            room = 0.0 if plane.kind == Kind.OBJECTIVE else inwards * float(np.abs(plane.normal) @ self.reach)
            pool.add(Plane(plane.kind, plane.normal, plane.offset + room))
        return self._solve(pool)

    def solve(self) -> tuple[float, Array]:
        """Fall of F that is promised for a unit, and the direction of it (in units, entries up to 1).

        NaN, and no direction, where the linearised problem could not be solved.
        """
        return self._solve(self.pool)

    def _solve(self, pool: Polyhedron) -> tuple[float, Array]:
        model, rows = self.model, self.model.rows
        if pool.size == 1 and not rows.b_ub.size and not rows.b_eq.size:  # the box says it all
            gradient = pool.normals[0]
            corner = np.where(gradient > 0, self.lower, self.upper)
            if not model.tangents(corner):
                way = np.where(gradient == 0, 0.0, corner - self.at)
                return max(float(-(gradient @ way)), 0.0) / NEAR, way / self.reach
        master, warm = make_master(model), dict[str, Array]()
        for _ in range(10):
            try:
                solution = master.solve(pool, self.lower, self.upper, warm)
            except MasterError:
                return np.nan, np.zeros(model.n)
            if solution.status != "optimal":
                return np.nan, np.zeros(model.n)
            if not [t for t in model.tangents(solution.point) if pool.add(t) >= 0]:
                break
        way = solution.point - self.at
        objective = ~pool.bounding
        fall = -float(np.max(pool.normals[objective] @ way))
        return max(fall, 0.0) / NEAR, way / self.reach


def _constraints(model: Joint | Reduced, z: Array) -> list[Plane]:
    """Constraints linearised at z, met there: a miss within the feasibility is no miss."""
    planes = []
    for piece in model.pieces(z)[1]:
        if piece.gradient.any():
            planes.append(gradient_cut(piece.kind, z, min(piece.value, 0.0), piece.gradient.astype(float)))
    for plane in model.linear_planes():
        planes.append(Plane(plane.kind, plane.normal, plane.offset - max(_excess(plane, z), 0.0)))
    if isinstance(model, Reduced):
        planes += model.answer_planes(z)
    return planes


def _excess(plane: Plane, z: Array) -> float:
    return float(plane.normal @ z) + plane.offset
