"""States: saved without pickle, refused when damaged, and tied to the options they were made with."""

import os
from dataclasses import replace

import numpy as np
import pytest

from cutplane import BilevelSolver, InputError, State, Status


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
