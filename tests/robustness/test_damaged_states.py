"""A state whose arrays are not what a run needs is refused in words, or gone on with to the right answer."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cutplane import BilevelProblem, BilevelSolver, Box, InputError, SolutionMap, State, Status
from cutplane._saved import digest
from cutplane.methods import METHODS

FUZZ = settings(deadline=None, derandomize=True, max_examples=100, suppress_health_check=list(HealthCheck))
WANTED = np.array([2.0, -1.0])


def problem():
    """min ½‖y − (2, −1)‖² with y = x in [0, 1]²: the nearest point of the square is (1, 0), and F = 1 there."""
    return BilevelProblem(
        lambda x, y: (0.5 * float((y - WANTED) @ (y - WANTED)), 0 * x, y - WANTED),
        SolutionMap(lambda x: x, lambda x, v: v), Box(0, 1), convex=True,
    )  # fmt: skip


def solver_of(method, formulation, **options):
    if method == "primal-dual":
        options |= {"phase1_iterations": 20}
    return BilevelSolver(method=method, formulation=formulation, epsilon=1e-8, **options)


def saved_of(method, formulation):
    """Arrays of states in the middle of a run, in each phase that it has."""
    solver, straight = solver_of(method, formulation), problem()
    found, state = {}, solver.init(straight, np.full(2, 0.3), np.full(2, 0.3))
    while state.status is Status.RUNNING and state.nit < 60:
        if state.nit == 1 or state.phase not in found:
            found[state.phase] = state.to_arrays()
        solver.step(straight, state)
    return list(found.values())


CASES = {(m, f): saved_of(m, f) for m in METHODS if m != "outer" for f in ("joint", "reduced")}
SHAPES = {
    "a dimension more": lambda v: v[..., None],
    "a dimension less": lambda v: v.reshape(-1)[0] if v.size else v.reshape(0, 0),
    "one entry more": lambda v: np.concatenate([v, v[-1:]]) if v.size else np.zeros((1, *v.shape[1:]), v.dtype),
    "one entry less": lambda v: v[:-1],
    "none": lambda v: v[:0],
    "rows for columns": lambda v: v.T[:-1],
}
KINDS = ["f4", "f8", "f2", "i8", "i4", "i1", "u1", ">f8", "?", "U3", "c16"]
VALUES = [np.nan, np.inf, -np.inf, -1, 127, 2**62, -(2**62)]


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


@st.composite
def damages(draw, with_values):
    """A method with its formulation, arrays of one of its states with one of them damaged, and what was done."""
    case = draw(st.sampled_from(sorted(CASES)))
    whole = draw(st.sampled_from(CASES[case]))
    arrays = {k: v.copy() for k, v in whole.items() if k != "digest"}
    name = draw(st.sampled_from(sorted(arrays)))
    value = arrays[name]
    how = draw(st.sampled_from(["missing", "extra", "shape", "kind", *(["value"] * with_values)]))
    with np.errstate(all="ignore"):
        if how == "missing":
            del arrays[name]
        elif how == "extra":
            arrays[draw(st.sampled_from([f"{name}_", "pool/x", "history/x", "x", "x/y", "memory/x"]))] = value
        elif how == "shape":
            which = draw(st.sampled_from([s for s in SHAPES if value.ndim or s == "a dimension more"]))
            arrays[name] = np.asarray(SHAPES[which](value))
        elif how == "kind":
            kind = draw(st.sampled_from(KINDS))
            assume(value.dtype.kind != "U" or kind == "U3")
            arrays[name] = value.astype(kind)
        else:
            assume(value.size and value.dtype.kind != "U")
            bad = draw(st.sampled_from(VALUES))
            assume(value.dtype.kind == "f" or np.isfinite(bad))
            place = draw(st.integers(0, value.size - 1))
            changed = value.astype(float).reshape(-1)
            changed[place] = bad
            arrays[name] = changed.reshape(value.shape).astype(value.dtype)
    assume(not same(arrays, {k: v for k, v in whole.items() if k != "digest"}))
    return case, arrays, whole["digest"], f"{name}: {how}"


@pytest.mark.parametrize("case", sorted(CASES))
def test_an_undamaged_state_goes_on_to_the_optimum(case, tmp_path):
    for arrays in CASES[case]:
        np.savez(tmp_path / "run.npz", **arrays)
        found = solver_of(*case, tolerance=1e-6).solve(problem(), state=State.load(tmp_path / "run.npz"))
        assert found.success and found.fun == pytest.approx(1.0, abs=1e-4), found.message


@FUZZ
@given(damages(with_values=True))
def test_an_array_that_is_not_the_one_saved_is_refused(damage):
    _, arrays, before, what = damage
    with pytest.raises(InputError) as refused:
        State.from_arrays(arrays | {"digest": before})
    assert str(refused.value), what


@settings(FUZZ, max_examples=400)
@given(damages(with_values=False))
def test_an_array_that_says_it_is_the_one_saved_is_refused_or_does_no_harm(damage):
    case, arrays, _, what = damage
    try:
        state = State.from_arrays(arrays | {"digest": digest(arrays)})
    except InputError:
        return
    try:
        found = solver_of(*case, max_iterations=state.nit + 40).solve(problem(), state=state)
    except InputError as error:  # the solver's own: made with other options
        assert "the state was made with" in str(error), what
        return
    assert " in iteration " not in found.message, (what, found.message)  # the words for a foreign exception
    if found.success:
        assert found.fun == pytest.approx(1.0, abs=1e-4) and found.lower_gap <= 1e-7, what


@pytest.mark.parametrize("case", sorted(CASES))
def test_values_that_no_run_can_have_are_named(case):
    for whole in CASES[case]:
        for name, bad in (
            ("point", np.nan), ("best", np.inf), ("floats", np.nan), ("history/planes", -1),
            ("pool/normals", np.nan), ("pool/offsets", np.inf), ("pool/norms", -1), ("pool/multipliers", -1),
            ("pool/kinds", 4), ("pool/kinds", -1), ("pool/serials", -1), ("pool/serials", 2**40),
            ("pool/idle", -1), ("pool/age", -1),
        ):  # fmt: skip
            if whole[name].size:
                arrays = {k: v.copy() for k, v in whole.items() if k != "digest"}
                arrays[name].reshape(-1)[-1] = bad
                with pytest.raises(InputError, match=name.split("/")[-1]):
                    State.from_arrays(arrays | {"digest": digest(arrays)})
