"""States: saved without pickle, refused when damaged, and tied to the options they were made with."""

import copy
import os
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest

from cutplane import BilevelSolver, InputError, State, Status
from cutplane.methods import METHODS

CONTINUOUS = tuple(name for name in METHODS if name != "outer")  # which is for whole numbers


@pytest.fixture(scope="module")
def solver():
    return BilevelSolver(method="level", epsilon=1e-8)


@pytest.fixture(scope="module")
def state(quadratic_bilevel, solver):
    problem = quadratic_bilevel(0).problem
    state = solver.init(problem, np.zeros(3), np.zeros(4))
    for _ in range(5):
        solver.step(problem, state)
    return state


@pytest.fixture
def saved(state, tmp_path):
    state.save(tmp_path / "run.npz")
    return tmp_path / "run.npz"


def test_a_loaded_state_is_the_saved_one(state, saved):
    loaded = State.load(saved)
    arrays, twins = state.to_arrays(), loaded.to_arrays()
    assert arrays.keys() == twins.keys()
    for name, value in arrays.items():
        np.testing.assert_array_equal(twins[name], value, strict=True)
    assert loaded.status is Status.RUNNING and loaded.runtime == {}


def test_a_copy_is_independent(state):
    twin = state.copy()
    twin.point[:] = 9.0
    twin.pool.clear()
    twin.memory["scratch"] = np.zeros(1)
    assert not np.any(state.point == 9.0) and state.pool.size > 0 and "scratch" not in state.memory


def test_saving_replaces_the_file_and_leaves_no_other(state, saved):
    state.save(saved)
    assert [p.name for p in saved.parent.iterdir()] == ["run.npz"]


def test_a_failed_save_keeps_the_old_file(state, saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        state.save(saved)
    assert saved.read_bytes() == before and len(list(saved.parent.iterdir())) == 1


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        State.load(tmp_path / "none.npz")


def test_truncated_files_are_refused(saved):
    raw = saved.read_bytes()
    for length in np.linspace(0, len(raw) - 1, 40).astype(int):
        saved.write_bytes(raw[:length])
        with pytest.raises(InputError, match="is not a saved state"):
            State.load(saved)


def test_damaged_bytes_are_refused_or_do_no_harm(state, saved):
    raw, rng, refused = saved.read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(raw)
        for place in rng.integers(len(raw), size=3):
            damaged[place] = rng.integers(256)
        saved.write_bytes(damaged)
        try:
            loaded = State.load(saved)
        except InputError:
            refused += 1
        else:  # the damage hit nothing that carries data, such as a time stamp
            assert np.array_equal(loaded.point, state.point) and loaded.pool.size == state.pool.size
    assert refused > 200


@pytest.mark.parametrize(
    "arrays",
    [
        {"numbers": np.array(3)},
        {"numbers": np.array([1])},
        {"numbers": np.array([{}], dtype=object)},
        {"x": np.zeros(3)},
    ],
)
def test_other_archives_are_refused(tmp_path, arrays):
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(InputError, match="is not a saved state"):
        State.load(tmp_path / "other.npz")


def test_plain_bytes_and_plain_arrays_are_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.save(tmp_path / "array.npy", np.zeros(3))
    for content in (b"", b"text", np.random.default_rng(0).bytes(500), (tmp_path / "array.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not a saved state"):
            State.load(path)


def test_a_pickled_array_is_never_loaded(state, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    arrays = state.to_arrays() | {"memory/bomb": np.array([Bomb()], dtype=object)}
    np.savez(tmp_path / "bomb.npz", **arrays)
    with pytest.raises(InputError, match="is not a saved state"):
        State.load(tmp_path / "bomb.npz")
    assert not (tmp_path / "exploded").exists()


def test_another_format_is_named(state, tmp_path):
    arrays = state.to_arrays()
    arrays["numbers"][0] = 99
    np.savez(tmp_path / "new.npz", **arrays)
    with pytest.raises(InputError, match="state format 99 is not 1"):
        State.load(tmp_path / "new.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x_scale": 2.0}, "x_scale"),
        ({"epsilon": 1e-6}, "epsilon"),
        ({"formulation": "reduced"}, "formulation"),
        ({"method": "proximal"}, "method"),
    ],
)
@pytest.mark.parametrize("through_a_file", [True, False])
def test_a_state_refuses_options_it_was_not_made_with(
    quadratic_bilevel, solver, state, saved, change, words, through_a_file
):
    problem = quadratic_bilevel(0).problem
    used = State.load(saved) if through_a_file else state
    with pytest.raises(InputError, match=f"the state was made with .*{words}"):
        replace(solver, **change).step(problem, used)


def same(first, second):
    a, b = first.to_arrays(), second.to_arrays()
    assert a.keys() == b.keys()
    for name, value in a.items():
        np.testing.assert_array_equal(value, b[name], strict=True, err_msg=name)


COPIES = {
    "pickle": lambda state: pickle.loads(pickle.dumps(state)),
    "deepcopy": copy.deepcopy,
    "copy": State.copy,
    "from_arrays": lambda state: State.from_arrays(state.to_arrays()),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize("method", CONTINUOUS)
def test_a_copy_goes_on_to_the_same_bits_without_the_handles(quadratic_bilevel, method, formulation, way):
    problem = quadratic_bilevel(3).problem
    solver = BilevelSolver(method=method, formulation=formulation, epsilon=1e-8)
    state = solver.init(problem, np.zeros(3), np.zeros(4))
    for _ in range(4):
        solver.step(problem, state)
    twin = COPIES[way](state)
    assert state.runtime["problem"] is problem  # the original keeps its own
    assert twin.runtime == {}
    same(state, twin)
    for _ in range(12):
        solver.step(problem, state)
    assert twin.nit == 4
    for _ in range(12):
        solver.step(quadratic_bilevel(3).problem, twin)
    same(state, twin)


def test_the_handles_stay_with_the_state_that_made_them(state):
    # HiGHS's model knows planes by their serial numbers: another pool's would be taken for them
    for other in (replace(state, phase=1), copy.copy(state)):
        assert other.runtime == {} and state.runtime
        other.runtime["mine"] = 1
        assert "mine" not in state.runtime
    with pytest.raises(TypeError, match="runtime"):
        replace(state, runtime={})
    assert "runtime" not in asdict(state)  # which copies all that it finds, and HiGHS's models do not copy


def test_a_pickled_state_holds_no_problem(state):
    # a lambda does not pickle, and there are two in the problem
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(state.runtime["problem"])
    pickle.dumps(state)


def test_a_state_equals_itself_alone(state):
    assert state == state and state != state.copy() and state != 3
    assert len({state, state.copy()}) == 2


def test_arrays_of_a_state_are_a_snapshot(quadratic_bilevel):
    problem = quadratic_bilevel(0).problem
    solver = BilevelSolver()
    state = solver.init(problem, np.zeros(3), np.zeros(4))
    arrays = state.to_arrays()
    kept = {name: value.copy() for name, value in arrays.items()}
    for _ in range(25):
        solver.step(problem, state)
    for name, value in arrays.items():
        np.testing.assert_array_equal(value, kept[name], err_msg=name)


def test_what_is_wrong_is_named_with_the_file(state, tmp_path):
    path = tmp_path / "odd.npz"
    for name, bad, words in (
        ("point", np.zeros(2), r"point has shape \(2,\), \(7,\) was expected"),
        ("best", np.zeros((7, 1)), "best has shape"),
        ("numbers", np.zeros(3, dtype=np.int64), "state format 0 is not 1"),
        ("numbers", np.array([1, 99, 3, 4, 1, 0, 0, 0, 0]), "99 is no status's code"),
        ("numbers", np.array([1, 0, 3, 4, 4, 0, 0, 0, 0]), "the phase is 1 to 3"),
        ("numbers", np.array([1, 0, 3, 4, 1, -1, 0, 0, 0]), "counts start at 0"),
        ("numbers", np.array([1, 0, 3, 5, 1, 0, 0, 0, 0]), r"point has shape \(7,\), \(8,\) was expected"),
        ("floats", np.zeros(2), "floats has shape"),
        ("pool/numbers", np.array([7, 1, 0, 9]), "cap ≥ 2"),
        ("pool/numbers", np.array([6, 9, 0, 9]), "planes have 6 entries, a point has 7"),
        ("pool/numbers", np.array([7, 9, 0, 1]), "serials are not all different and below the next one"),
        ("pool/normals", np.zeros((1, 7)), "pool/normals has shape"),
        ("pool/kinds", state.pool.kinds.astype(float), "pool/kinds holds float64, int8 were expected"),
        ("memory/lp_columns", np.zeros(3, dtype=np.int8), r"memory/lp_columns has shape \(3,\), \(8,\)"),
        ("memory/lp_columns", np.full(8, 9, dtype=np.int8), "a basis's states go from 0 to 4"),
        ("memory/near_multipliers", np.zeros(99), r"memory/near_multipliers has shape \(99,\)"),
        ("memory/method and formulation", np.array(["level", "other"]), "two words were expected"),
        ("history/fun", np.zeros(1), "the history's "),
        ("history/fun", np.zeros(5, dtype=np.float32), "the history's fun"),
        ("history/other", np.zeros(5), "the history has no column 'other'"),
        ("other", np.zeros(5), "it holds 'other', which no state has"),
        ("pool/other", np.zeros(5), "it holds 'pool/other', which no pool has"),
        ("memory/other", np.zeros(5), "their digest differs"),
    ):
        np.savez(path, **(state.to_arrays() | {name: bad}))
        with pytest.raises(InputError, match=rf"odd\.npz is not a saved state: .*({words})"):
            State.load(path)


def test_each_missing_array_is_named(state, tmp_path):
    arrays = state.to_arrays()
    for name in arrays:
        np.savez(tmp_path / "less.npz", **{key: value for key, value in arrays.items() if key != name})
        with pytest.raises(InputError, match=r"less\.npz is not a saved state") as refused:
            State.load(tmp_path / "less.npz")
        # what a method may do without is missed by the digest
        optional = name.startswith(("memory/lp", "memory/near", "memory/unanswered"))
        assert name.split("/")[-1] in str(refused.value) or optional, refused.value


@pytest.mark.parametrize("status", Status)
def test_a_state_that_ended_in_any_way_saves_and_loads(state, status, tmp_path):
    ended = state.copy()
    ended.status = status
    ended.save(tmp_path / "ended.npz")
    assert State.load(tmp_path / "ended.npz").status is status


def test_memory_of_a_method_of_the_users_own_is_the_users(state, tmp_path):
    own = state.copy()
    own.memory = {"x_scale, y_scale and epsilon": own.memory["x_scale, y_scale and epsilon"]} | {
        "method and formulation": np.array(["mine", "joint"]), "weight": np.array([np.inf, -1.0]),
    }  # fmt: skip
    own.save(tmp_path / "own.npz")
    assert State.load(tmp_path / "own.npz").memory["weight"].tolist() == [np.inf, -1.0]


def test_a_single_precision_state_saves_and_loads(quadratic_bilevel, tmp_path):
    problem = quadratic_bilevel(0).problem
    solver = BilevelSolver(epsilon=1e-4, tolerance=1e-3, feasibility=1e-5)
    state = solver.init(problem, np.zeros(3, dtype=np.float32), np.zeros(4, dtype=np.float32))
    for _ in range(30):
        solver.step(problem, state)
    state.save(tmp_path / "single.npz")
    loaded = State.load(tmp_path / "single.npz")
    assert loaded.point.dtype == np.float32
    same(state, loaded)
