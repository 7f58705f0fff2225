"""Whole numbers in sets: bounds, the nearest point against enumeration, and what is refused."""

import itertools

import numpy as np
import pytest

from cutplane import BilevelProblem, Box, InputError, Polytope, SolutionMap
from cutplane.sets import fixed, relaxed, violation


def test_a_box_rounds_and_clips():
    box = Box([0.2, -1.5, 0.0], [3.7, 1.5, 1.0], integer=np.array([True, True, False]))
    assert box.project([2.6, -9.0, 0.4]).tolist() == [3.0, -1.0, 0.4]
    assert box.bounds(3)[0].tolist() == [1.0, -1.0, 0.0] and box.bounds(3)[1].tolist() == [3.0, 1.0, 1.0]
    assert violation(box, np.array([1.25, 0.0, 0.5])) == 0.25


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("binary", [True, False])
def test_projection_onto_a_polytope_is_the_nearest_of_all_points(seed, binary):
    rng = np.random.default_rng(seed)
    low, high = (0, 1) if binary else (-2, 2)
    A, v = rng.normal(size=(2, 3)), 2 * rng.normal(size=3)
    b = A @ rng.integers(low, high + 1, size=3) + rng.uniform(0, 1, size=2)
    polytope = Polytope(A, b, lower=low, upper=high, integer=True)
    points = np.array(list(itertools.product(range(low, high + 1), repeat=3)), dtype=float)
    points = points[(points @ A.T <= b + 1e-9).all(axis=1)]
    found = polytope.project(v)
    assert np.array_equal(found, np.rint(found)) and violation(polytope, found) <= 1e-9
    assert np.sum((found - v) ** 2) == pytest.approx(np.sum((points - v) ** 2, axis=1).min(), abs=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_with_other_entries_the_nearest_over_each_choice(seed):
    rng = np.random.default_rng(seed)
    A, v, whole = rng.normal(size=(1, 3)), 2 * rng.normal(size=3), np.array([True, False, True])
    polytope = Polytope(A, [0.3], lower=-1, upper=1, integer=whole)
    least = np.inf
    for i, j in itertools.product((-1.0, 0.0, 1.0), repeat=2):
        try:
            part = fixed(polytope, np.array([i, 0.0, j]))
        except InputError:
            continue
        least = min(least, float(np.sum((part.project(v) - v) ** 2)))
    assert np.sum((polytope.project(v) - v) ** 2) == pytest.approx(least, rel=1e-7, abs=1e-9)


def test_exactly_k_takes_the_k_largest():
    v = np.random.default_rng(0).uniform(size=40)
    chosen = Polytope(A_eq=np.ones((1, 40)), b_eq=[15], lower=0, upper=1, integer=True).project(v)
    assert set(np.flatnonzero(chosen)) == set(np.argsort(-v)[:15])


def test_without_whole_numbers_it_is_the_set_they_lie_in():
    assert relaxed(Box(0, 1, integer=True)).project([0.4]).tolist() == [0.4]
    row = Polytope(A_eq=np.ones((1, 2)), b_eq=[1], lower=0, upper=1, integer=True)
    assert relaxed(row).project([0.5, 0.5]).tolist() == [0.5, 0.5]
    plain = Box(0, 1)
    assert relaxed(plain) is plain


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Box(0, 1, integer=[0, 1]), "np.isin"),
        (lambda: Box(0, 1, integer="yes"), "must be True, False"),
        (lambda: Box(0.2, 0.8, integer=True), "no whole number"),
        (lambda: Box(0, np.inf, integer=True), "need bounds"),
        (lambda: Box([0, 0], [1, 1], integer=[True, True, False]), "integer has 3 entries"),
        (lambda: Box(0, 1, integer=[True, False]).project([0.0, 0.0, 0.0]), "Box.integer has 2 entries"),
        (lambda: Polytope(A_eq=[[2.0, 2.0]], b_eq=[1.0], lower=0, upper=1, integer=True), "no integer point"),
        (
            lambda: BilevelProblem(
                lambda x, y: None, SolutionMap(lambda x: x, lambda x, v: v), y_set=Box(0, 1, integer=True)
            ),
            "y_set cannot hold whole numbers",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
