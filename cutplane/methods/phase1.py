"""The paper's Phase 1: projected primal-dual steps (4)-(5) on the regularised Lagrangian [K]."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from cutplane._arrays import Array
from cutplane._kernels import primal_dual_sweep
from cutplane.core.formulations import Joint, Reduced
from cutplane.errors import NoAnswerError
from cutplane.history import Status
from cutplane.methods.base import (
    HALVINGS,
    Move,
    add_cuts,
    count_unanswered,
    depth,
    domain_plane,
    drop_contradicted,
    evaluate_feasible,
)
from cutplane.options import Options
from cutplane.state import State


@dataclass(frozen=True)
class Phase1:
    """z ← P_Z(z − η(∇F + Aᵀλ)), then λ ← [λ + η_λ(A z + c − c₁λ)]₊ at the new point.

    The pool is looked after every `cut_every` iterations: inactive planes leave, and a plane enters if the
    gap exceeds ε at the new point. Without given step sizes, 1/η follows the largest change of ∇F seen per
    length moved plus η_λ‖A‖², which keeps the coupled iteration stable. Options as of `PrimalDual`.
    """

    cut_every: int
    step_x: float | None
    step_y: float | None
    step_dual: float | None
    regularisation: float

    def start(self, model: Joint | Reduced, state: State) -> None:
        """Estimate the Lipschitz constant of ∇F from one small move downhill."""
        z = state.point
        _, gradient = model.objective(z)
        length = float(np.linalg.norm(gradient))
        lipschitz = 0.0
        if length > 0:
            ahead = model.project(z - gradient * z.dtype.type(1e-4 * (1 + np.linalg.norm(z)) / length))
            moved = float(np.linalg.norm(ahead - z))
            if moved > 0:
                with suppress(NoAnswerError):
                    lipschitz = float(np.linalg.norm(model.objective(ahead)[1] - gradient)) / moved
        # a linear objective gives 0: no first step shall leave the neighbourhood of the start
        floor = length / (10 * (1 + float(np.linalg.norm(z))))
        state.memory.pop("spread", None)
        state.memory |= {
            "lipschitz": np.array(max(lipschitz, floor, 1e-12)), "last_point": z.copy(),
            "last_gradient": gradient.copy(),
        }  # fmt: skip

    def move(self, model: Joint | Reduced, state: State, options: Options) -> Move:
        """One primal-dual step; every `cut_every` iterations the pool is looked after."""
        pool, memory = state.pool, state.memory
        try:
            fun, gradient = model.objective(state.point)
            memory["unanswered"] = np.array(0)
        except NoAnswerError as error:
            return step_back(model, state, error)
        _update_lipschitz(memory, state.point, gradient)
        steps, dual_step = self._steps(model, state)
        before = state.point.copy()
        active_before = pool.multipliers > 0
        activity, step = _primal_step(model, state, gradient, steps)
        c1 = self.regularisation
        residual = activity + pool.offsets
        ascent = pool.multipliers + dual_step * (residual - c1 * pool.multipliers)
        pool.multipliers[:] = np.where(pool.bounding, np.maximum(ascent, 0.0), 0.0)
        memory["last_point"], memory["last_gradient"] = before, gradient
        violation = float(np.max(residual[pool.bounding], initial=0.0))
        if state.nit % self.cut_every != self.cut_every - 1:
            return Move(fun, np.nan, violation, step)
        # two-sided: a plane is inactive if its multiplier is 0 before and after the dual step
        pool.note_activity(active_before | (pool.multipliers > 0))
        pool.drop_inactive(options.patience, options.max_age)
        if not model.problem.convex:
            drop_contradicted(state, options)
        try:
            gap, pieces = model.pieces(state.point)
            add_cuts(state, model, pieces, state.point, options)
            evaluate_feasible(model, state, state.point, gap, pieces, options)
        except NoAnswerError as error:
            return step_back(model, state, error)
        memory.pop("spread", None)
        return Move(fun, gap, max(violation, depth(pieces)), step)

    def _steps(self, model: Joint | Reduced, state: State) -> tuple[Array, float]:
        lipschitz = float(state.memory["lipschitz"])
        bounding = state.pool.bounding
        if "spread" not in state.memory:
            gram = _gram(state)[np.ix_(bounding, bounding)]
            top = np.linalg.eigvalsh(gram)[-1] if bounding.any() else 1.0
            state.memory["spread"] = np.array(max(float(top), 1e-12))
        spread = float(state.memory["spread"])
        dual = self.step_dual if self.step_dual is not None else 0.5 * lipschitz / spread
        auto = 1.0 / (lipschitz + dual * (spread + self.regularisation))
        steps = np.full(model.n, auto, dtype=state.point.dtype)
        if self.step_x is not None:
            steps[: model.n_x] = self.step_x
        if self.step_y is not None:
            steps[model.n_x :] = self.step_y
        # the dual step alone must not overshoot its own regularisation
        return steps, min(dual, 0.5 / max(self.regularisation, 1e-300))


def step_back(model: Joint | Reduced, state: State, error: NoAnswerError) -> Move:
    """Go back from a point without an answer, half-way to the last one that has it, and step shorter."""
    count_unanswered(state, state.point, error)
    plane = domain_plane(model, state.point, error)
    if plane is not None:
        state.pool.add(plane)
    memory, before = state.memory, state.point
    for _ in range(HALVINGS):
        state.point = model.project(0.5 * (state.point + memory["last_point"]))
        memory["lipschitz"] = np.minimum(2.0 * memory["lipschitz"], 1e15)
        try:
            fun, _ = model.objective(state.point)
            gap, pieces = model.pieces(state.point)
        except NoAnswerError:
            continue
        memory.pop("spread", None)
        return Move(fun, gap, max(depth(pieces), 0.0), float(np.linalg.norm(state.point - before)))
    state.point = memory["last_point"].copy()
    fun, _ = model.objective(state.point)  # an oracle that has no answer there any more is broken
    return Move(fun, np.nan, 0.0, 0.0, status=Status.STALLED)


def _gram(state: State) -> Array:
    """[L, L] products of the normals; those of planes that were here at the last call are kept."""
    pool, memory = state.pool, state.memory
    gram, known = np.zeros((pool.size, pool.size)), np.zeros(pool.size, dtype=bool)
    if "gram" in memory:
        _, now, then = np.intersect1d(pool.serials, memory["gram_serials"], return_indices=True)
        gram[np.ix_(now, now)], known[now] = memory["gram"][np.ix_(then, then)], True
    new = np.flatnonzero(~known)
    products = pool.normals @ pool.normals[new].T
    gram[:, new], gram[new, :] = products, products.T
    memory |= {"gram": gram, "gram_serials": pool.serials.copy()}
    return gram


def _update_lipschitz(memory: dict[str, Array], z: Array, gradient: Array) -> None:
    moved = float(np.linalg.norm(z - memory["last_point"]))
    if moved > 0:
        seen = float(np.linalg.norm(gradient - memory["last_gradient"])) / moved
        # forget slowly: far from the start the curvature may be smaller
        memory["lipschitz"] = np.array(max(seen, 0.98 * float(memory["lipschitz"]), 1e-12))


def _primal_step(model: Joint | Reduced, state: State, gradient: Array, steps: Array) -> tuple[Array, float]:
    """Move the point in place; return (A z at the new point, length moved in units of the steps)."""
    pool = state.pool
    dtype = state.point.dtype
    weights = np.where(pool.bounding, pool.multipliers, 0.0)
    if model.simple:
        point = state.point.copy()
        activity = np.zeros(pool.size)
        moved2 = primal_dual_sweep(
            pool.normals, weights.astype(dtype), gradient.astype(dtype, copy=False), steps,
            model.lower.astype(dtype, copy=False), model.upper.astype(dtype, copy=False), point, activity,
        )  # fmt: skip
        state.point = point
        return activity, float(np.sqrt(moved2))
    pull = gradient + pool.normals.T @ weights.astype(dtype)
    point = model.project(state.point - steps * pull)
    moved = float(np.linalg.norm((point - state.point) / steps))
    state.point = point
    return pool.normals @ point, moved
