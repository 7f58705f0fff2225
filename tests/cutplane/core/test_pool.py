"""The pool of planes: scaling, growth, dropping, merging at the cap, redundancy."""

import numpy as np
import pytest

from cutplane import Polyhedron
from cutplane.core.pool import Kind, Plane


def plane(normal, offset, kind=Kind.GAP):
    return Plane(kind, np.array(normal, dtype=float), float(offset))


def test_a_plane_is_scaled_to_a_unit_normal_and_keeps_its_norm():
    pool = Polyhedron(2)
    assert pool.add(plane([3, 4], 10)) == 0
    assert (
        pool.normals.tolist() == [[0.6, 0.8]] and pool.offsets.tolist() == [2.0] and pool.norms.tolist() == [5.0]
    )
    assert pool.residuals(np.array([1.0, 1.0])) == pytest.approx([3.4])


def test_a_plane_of_the_objective_keeps_its_slope():
    pool = Polyhedron(2)
    pool.add(plane([3, 4], 10, Kind.OBJECTIVE))
    assert pool.normals.tolist() == [[3, 4]] and not pool.bounding.any()
    pool.add(plane([0, 0], 1, Kind.OBJECTIVE))
    assert pool.size == 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_duplicates_and_planes_without_a_normal_do_not_enter(dtype):
    pool = Polyhedron(2, dtype)
    third = 1 / 3
    assert pool.add(plane([third, 0.2], third)) == 0
    assert pool.add(plane([third, 0.2], third)) == -1
    assert pool.add(plane([2 * third, 0.4], 2 * third)) == -1
    assert pool.add(plane([third, 0.2], third, Kind.CONSTRAINT)) == 1
    assert pool.add(plane([0, 0], 1)) == -1
    assert pool.normals.dtype == dtype


def test_the_store_grows_and_serials_stay_with_their_planes():
    pool = Polyhedron(1)
    for k in range(50):
        pool.add(plane([1], k))
    pool.drop(np.array([0, 7, 49]))
    assert pool.size == 47 and pool.next_serial == 50
    assert sorted(pool.serials) == [k for k in range(50) if k not in (0, 7, 49)]
    assert np.array_equal(pool.offsets, pool.serials)


def test_inactive_planes_leave_by_patience_and_by_age_and_linear_rows_stay():
    pool = Polyhedron(1)
    pool.add(plane([1], 0, Kind.LINEAR))
    for k in (1, 2, 3):
        pool.add(plane([1], k))
    for _ in range(3):
        pool.note_activity(np.array([False, True, False, True]))
    pool.note_activity(np.array([False, True, False, False]))
    assert pool.idle.tolist() == [4, 0, 4, 1] and pool.age.tolist() == [4, 4, 4, 4]
    assert pool.drop_inactive(patience=4) == 1
    assert sorted(pool.offsets) == [0, 1, 3]
    assert pool.drop_inactive(patience=10, max_age=4) == 1
    assert sorted(pool.offsets) == [0, 1]
    assert pool.clear() == 1 and pool.kinds.tolist() == [Kind.LINEAR]


def test_a_full_pool_drops_the_plane_longest_at_rest():
    pool = Polyhedron(1, cap=3)
    for k in range(3):
        pool.add(plane([1], k))
    pool.multipliers[:] = [1.0, 0.0, 0.0]
    pool.note_activity(np.array([True, False, True]))
    pool.note_activity(np.array([True, False, False]))
    pool.add(plane([1], 9))
    assert sorted(pool.offsets) == [0, 2, 9] and pool.aggregated == 0


def test_a_full_pool_at_work_merges_its_two_lightest_planes_into_one_that_they_imply():
    pool = Polyhedron(2, cap=3)
    for k, normal in enumerate(([1, 0], [0, 1], [1, 1])):
        pool.add(plane(normal, -k))
    pool.multipliers[:] = [0.5, 1.0, 9.0]
    pull = pool.multipliers @ pool.normals
    pool.add(plane([-1, 0], -5))
    assert pool.size == 3 and pool.aggregated == 2
    np.testing.assert_allclose(pool.multipliers @ pool.normals, pull)
    merged = int(np.argmax((pool.multipliers > 0) & (pool.multipliers < 9)))
    corner = np.array([0.0, 1.0])  # both merged planes are tight here
    assert pool.residuals(corner)[merged] == pytest.approx(0.0)


def test_merged_planes_of_the_objective_are_an_average():
    pool = Polyhedron(1, cap=2)
    pool.add(plane([1], 0, Kind.OBJECTIVE))
    pool.add(plane([-1], 2, Kind.OBJECTIVE))
    pool.multipliers[:] = [0.25, 0.75]
    pool.aggregate(np.array([0, 1]))
    assert pool.normals.tolist() == [[-0.5]] and pool.offsets.tolist() == [1.5]
    assert pool.multipliers.tolist() == [1.0]


def test_opposite_planes_are_not_merged_into_nothing():
    pool = Polyhedron(1, cap=2)
    pool.add(plane([1], -1))
    pool.add(plane([-1], -1))
    pool.multipliers[:] = 1.0
    pool.add(plane([1], -0.5))
    assert pool.size == 2 and np.isfinite(pool.normals).all() and pool.aggregated == 0


def test_planes_no_check_has_seen_go_last_and_the_last_objective_never():
    pool = Polyhedron(1, cap=3)
    pool.add(plane([1], 0, Kind.OBJECTIVE))
    for k in (1, 2, 3, 4):
        pool.add(plane([1], k))
    assert pool.kinds.tolist().count(Kind.OBJECTIVE) == 1
    assert sorted(pool.offsets[pool.bounding]) == [3, 4]


def test_dominated_and_redundant_planes():
    pool = Polyhedron(2)
    pool.add(plane([1, 0], -1, Kind.LINEAR))
    pool.add(plane([1, 0], -1))
    pool.add(plane([1, 0], -1.5))
    pool.add(plane([0, 1], -1))
    pool.add(plane([1, 1], -2))  # implied by the two it lies between, but by neither alone
    box = np.full(2, -10.0), np.full(2, 10.0)
    assert pool.drop_dominated(*box) == 1
    assert -1.5 not in pool.offsets
    redundant = pool.redundant(*box)
    gone = {tuple(np.round(pool.normals[l], 6)) for l in redundant}
    assert gone == {(1.0, 0.0), (0.707107, 0.707107)} and Kind.LINEAR not in pool.kinds[redundant]
    assert Polyhedron(2).drop_dominated(*box) == 0


def test_arrays_rebuild_the_pool():
    pool = Polyhedron(2, np.float32, cap=7)
    for k in range(5):
        pool.add(plane([1, k], k))
    pool.multipliers[:] = np.arange(5)
    twin = Polyhedron.from_arrays(pool.to_arrays())
    for name, value in pool.to_arrays().items():
        assert np.array_equal(twin.to_arrays()[name], value)
    twin.add(plane([0, 1], 3))
    assert twin.serials[-1] == 5 and pool.size == 5


def test_a_new_plane_may_drop_those_of_its_kind_that_it_implies():
    pool, box = Polyhedron(1), (np.array([-1.0]), np.array([1.0]))
    for offset, kind in ((-0.9, Kind.LINEAR), (-0.9, Kind.GAP), (-0.8, Kind.CONSTRAINT), (-0.2, Kind.GAP)):
        pool.add(plane([1], offset, kind))
    pool.add(plane([1], -0.5))
    assert pool.drop_implied_by_last(*box) == 1
    assert 1 not in pool.serials and pool.size == 4


@pytest.mark.parametrize("tiny", [1e-9, 1e-11, 1e-13])
def test_a_plane_at_work_by_a_tiny_entry_is_not_redundant(tiny):
    # x in [0, 1], y in [0, 1/tiny]: x + tiny·y ≤ 1.5 cuts at (1, 1/tiny), and x + tiny·y/4 ≤ 1.5 nowhere
    pool = Polyhedron(2)
    pool.add(Plane(Kind.GAP, np.array([1.0, tiny]), -1.5))
    pool.add(Plane(Kind.GAP, np.array([1.0, tiny / 4]), -1.5))
    assert pool.redundant(np.zeros(2), np.array([1.0, 1 / tiny])).tolist() == [1]
