"""The paper's Phase 2: descend F + (ρ/2) Σ [A z + c]₊² on the polyhedron as it stands, (8) [C].

The dual of Phase 1 at rest is this penalty with ρ = 1/c₁ [D]: that is the hand-over. When the penalised
objective is at rest, ρ grows; when the planes are met to the tolerance, the phase is done.
"""


from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import NoAnswerError
from cutplane.methods.base import Move
from cutplane.options import Options
from cutplane.state import State

_HISTORY = 8
"""Penalised values that the non-monotone line search looks back on."""
_LARGEST = 1e10
"""Largest ρ: beyond it rounding in F hides behind the penalty."""


@dataclass(frozen=True)
class Penalty:
    """Spectral projected gradient on the penalised objective; options as of `PrimalDual`."""

    regularisation: float
    penalty_growth: float

    def start(self, model: Joint | Reduced, state: State) -> None:
        """Hand over from Phase 1: ρ = 1/c₁."""
        state.memory |= {"rho": np.array(1.0 / self.regularisation), "finished": np.array(0)}
        self._restart(model, state)

    def _restart(self, model: Joint | Reduced, state: State) -> None:
        fun, gradient = model.objective(state.point)
        state.memory |= {"fun": np.array(fun), "gradient": gradient.copy()}
        value, slope = self._penalised(state, state.point, fun, gradient)
        state.memory |= {
            "slope": slope, "values": np.full(_HISTORY, value), "bb": np.array(1.0 / (1.0 + _length(slope)))
        }  # fmt: skip

    def _penalised(self, state: State, z: Array, fun: float, gradient: Array) -> tuple[float, Array]:
        rho, bounding = float(state.memory["rho"]), state.pool.bounding
        excess = np.where(bounding, np.maximum(state.pool.residuals(z), 0.0), 0.0)
        state.memory["excess"] = excess
        weights = (rho * excess).astype(z.dtype)
        return fun + rho / 2 * float(excess @ excess), gradient + state.pool.normals.T @ weights

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One projected step with the spectral step length; ρ grows where the iterate is at rest."""
        memory, z = state.memory, state.point
        slope, step = memory["slope"], float(memory["bb"])
        direction = model.project(z - z.dtype.type(step) * slope) - z
        at_rest = _length(model.project(z - slope) - z) if step < 1 else _length(direction)
        rate, expected = 1.0, float(slope @ direction)
        reference = float(memory["values"].max())
        while True:
            point = model.project(z + z.dtype.type(rate) * direction)
            try:
                fun, gradient = model.objective(point)
            except NoAnswerError:
                if rate >= 1e-10:
                    rate *= 0.5
                    continue
                # at the rim of where there are answers: the point stays
                point, fun, gradient = z.copy(), float(memory["fun"]), memory["gradient"]
            value, new_slope = self._penalised(state, point, fun, gradient)
            if value <= reference + 1e-4 * rate * expected or rate < 1e-10:
                break
            rate *= 0.5
        shift, change = point - z, new_slope - slope
        curvature = float(shift @ change)
        # the spectral (Barzilai-Borwein) length; without curvature along the move, a longer step
        memory["bb"] = np.array(
            np.clip(float(shift @ shift) / curvature, 1e-12, 1e10) if curvature > 0 else min(2 * step, 1e10)
        )
        memory["values"] = np.append(memory["values"][1:], value)
        memory |= {"fun": np.array(fun), "gradient": gradient, "slope": new_slope}
        state.point = point
        excess = memory["excess"]
        # what (8) says of the multipliers: λ = ρ [A z + c]₊
        state.pool.multipliers[:] = float(memory["rho"]) * excess
        violation = float(excess.max(initial=0.0))
        scale = 1.0 + _length(gradient)
        stuck = rate < 1e-10 or _length(shift) <= 1e-15 * (1 + _length(z))
        if at_rest <= 0.1 * options.tolerance * scale or stuck:
            rho = float(memory["rho"])
            memory["finished"] = np.array(int(violation <= options.tolerance or rho >= _LARGEST))
            if not memory["finished"]:
                memory["rho"] = np.array(rho * self.penalty_growth)
                self._restart(model, state)
        return Move(fun, np.nan, violation, _length(shift))


def _length(v: Array) -> float:
    return float(np.linalg.norm(v))
