"""The two formulations as one model: scaling, gradients, constraints, and oracles that answer badly."""

import numpy as np
import pytest

from cutplane import (
    Ball,
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    LinearConstraint,
    OracleError,
    Polytope,
    SolutionMap,
    ValueFunction,
)
from cutplane.core.formulations import build_model
from cutplane.core.model import Piece
from cutplane.core.pool import Kind


def disc(x, y):
    return float(x @ x + y @ y) - 1.0, 2 * x[None], 2 * y[None]


def numerical(function, z, step=1e-6):
    return np.array([(function(z + step * e) - function(z - step * e)) / (2 * step) for e in np.eye(z.size)])


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
def test_gradients_are_those_of_the_scaled_functions(quadratic_bilevel, formulation):
    case = quadratic_bilevel(3, constraints=(disc,))
    model = build_model(case.problem, formulation, 3, 4, (10.0, 0.1), 1e-3)
    z = np.linspace(-1, 1, model.n)
    gradient = model.objective(z)[1]
    np.testing.assert_allclose(gradient, numerical(lambda u: model.objective(u)[0], z), rtol=1e-5, atol=1e-6)
    _, pieces = model.pieces(z)
    assert [p.kind for p in pieces][-1] == Kind.CONSTRAINT
    for i, piece in enumerate(pieces):
        expected = numerical(lambda u, i=i: model.pieces(u)[1][i].value, z)
        np.testing.assert_allclose(piece.gradient, expected, rtol=1e-5, atol=1e-5)


def test_joining_and_splitting_scale_and_unscale(quadratic_bilevel):
    case = quadratic_bilevel(0, x_set=Box(0, 2), y_set=Ball(3.0))
    model = build_model(case.problem, "joint", 3, 4, (4.0, 0.5), 0.0)
    x, y = np.ones(3), np.full(4, 2.0)
    z = model.join(x, y)
    assert z.tolist() == [0.25] * 3 + [4.0] * 4
    assert np.array_equal(np.concatenate(model.split(z)), np.concatenate([x, y]))
    assert model.upper[:3].tolist() == [0.5] * 3
    inside = model.project(z)
    assert np.linalg.norm(model.split(inside)[1]) == pytest.approx(3.0)
    (plane,) = model.tangents(z)
    assert plane.normal @ z + plane.offset > 0 and abs(plane.normal @ inside + plane.offset) < 1e-12


def test_rows_of_a_polytope_are_scaled_with_its_block(quadratic_bilevel):
    budget = Polytope(np.ones((1, 3)), [1.0], lower=0)
    case = quadratic_bilevel(0, x_set=budget)
    model = build_model(case.problem, "joint", 3, 4, (2.0, 1.0), 0.0)
    assert model.rows.A_ub.tolist() == [[2.0] * 3 + [0.0] * 4] and not model.simple


def test_depth_is_the_distance_to_the_linearisation():
    assert Piece(Kind.GAP, 2.0, np.array([3.0, 4.0])).depth == pytest.approx(0.4)
    assert Piece(Kind.GAP, 2.0, np.zeros(2)).depth == np.inf
    assert Piece(Kind.GAP, -2.0, np.zeros(2)).depth == -np.inf


def test_the_reduced_formulation_needs_a_solution_map():
    class GapOnly:
        def gap(self, x, y):
            return 0.0, 0 * x, 0 * y

    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), GapOnly())
    with pytest.raises(InputError, match=r"needs lower.solution; GapOnly has none .*formulation='joint'"):
        BilevelSolver(formulation="reduced").init(problem, [0.0], [0.0])


def test_constraints_of_the_lower_level_are_required_too():
    lower = SolutionMap(lambda x: x, lambda x, v: v)
    lower.constraints = disc
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), lower)
    _, pieces = build_model(problem, "joint", 1, 1, (1.0, 1.0), 0.0).pieces(np.array([2.0, 0.0]))
    assert [p.kind for p in pieces] == [Kind.GAP, Kind.CONSTRAINT] and pieces[1].value == 3.0


def test_a_restored_point_outside_y_set_is_not_offered():
    problem = BilevelProblem(
        lambda x, y: (0.0, 0 * x, 0 * y), SolutionMap(lambda x: x, lambda x, v: v), y_set=Box(0, 1)
    )
    model = build_model(problem, "joint", 1, 1, (1.0, 1.0), 0.0)
    assert model.restore(np.array([2.0, 0.5])) is None
    assert model.restore(np.array([0.7, 0.5]))[0].tolist() == [0.7, 0.7]


def test_the_reduced_formulation_keeps_the_solution_in_y_set():
    problem = BilevelProblem(
        lambda x, y: (0.0, 0 * x, 0 * y), SolutionMap(lambda x: 2 * x, lambda x, v: 2 * v), y_set=Box(0, 1)
    )
    model = build_model(problem, "reduced", 1, 1, (1.0, 1.0), 0.0)
    (piece,) = model.pieces(np.array([0.5]))[1]
    assert piece.value == 0.0 and piece.gradient.tolist() == [0.0]
    (piece,) = model.pieces(np.array([0.75]))[1]
    assert piece.value == pytest.approx(0.5) and piece.gradient == pytest.approx([2.0])


def test_linear_constraints_are_rows_jointly_and_pieces_when_reduced(quadratic_bilevel):
    row = LinearConstraint(np.ones((1, 3)), np.ones((1, 4)), [1.0])
    case = quadratic_bilevel(0, constraints=row)
    joint = build_model(case.problem, "joint", 3, 4, (2.0, 1.0), 0.0)
    (plane,) = joint.linear_planes()
    assert plane.kind == Kind.LINEAR and plane.normal.tolist() == [2.0] * 3 + [1.0] * 4 and plane.offset == -1.0
    assert [p.kind for p in joint.pieces(np.zeros(7))[1]] == [Kind.GAP]
    reduced = build_model(case.problem, "reduced", 3, 4, (1.0, 1.0), 0.0)
    assert reduced.linear_planes() == []
    _, piece = reduced.pieces(np.zeros(3))[1]  # the first says that y*(x) lies in y_set
    np.testing.assert_allclose(piece.gradient, 1.0 + case.reaction.sum(axis=0))


GOOD = {
    "upper": lambda x, y: (0.0, 0 * x, 0 * y),
    "forward": lambda x: x.copy(),
    "vjp": lambda x, v: v,
    "constraint": disc,
}


@pytest.mark.parametrize("formulation", ["joint", "reduced"])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"upper": lambda x, y: (np.nan, 0 * x, 0 * y)}, "upper value is not finite"),
        ({"upper": lambda x, y: (np.ones(1), 0 * x, 0 * y)}, r"upper value has shape \(1,\), \(\) was expected"),
        ({"upper": lambda x, y: (0.0, np.array([0.0, np.inf]), 0 * y)}, r"upper gradient in x\[1\] is not finite"),
        ({"upper": lambda x, y: (0.0, 0 * x, np.zeros(3))}, "upper gradient in y has shape"),
        ({"upper": lambda x, y: None}, "upper must return three things"),
        ({"vjp": lambda x, v: np.full(2, np.nan)}, r"(lower gap gradient in x|lower.vjp)\[0\] is not finite"),
        ({"constraint": lambda x, y: (np.nan, x[None], y[None])}, r"constraints\[0\] value\[0\] is not finite"),
        ({"constraint": lambda x, y: (0.0, x[None, :1], y[None])}, r"constraints\[0\] jacobian in x has shape"),
        ({"constraint": lambda x, y: (0.0, x[None])}, r"constraints\[0\] must return three things"),
    ],
)
def test_an_oracle_that_answers_badly_is_named(formulation, bad, words):
    parts = GOOD | bad
    problem = BilevelProblem(
        parts["upper"], SolutionMap(parts["forward"], parts["vjp"]), constraints=(parts["constraint"],)
    )
    with pytest.raises(OracleError, match=words):
        BilevelSolver(formulation=formulation).init(problem, [0.5, 0.5], [0.25, 0.0])


def test_a_gap_of_the_wrong_form_is_named():
    class Bad:
        answer = 1.0

        def gap(self, x, y):
            return self.answer

    problem = BilevelProblem(GOOD["upper"], Bad())
    with pytest.raises(OracleError, match=r"lower\.gap must return three things"):
        BilevelSolver().init(problem, [0.0], [0.0])
    Bad.answer = (np.inf, np.zeros(1), np.zeros(1))
    with pytest.raises(OracleError, match="lower gap is not finite"):
        BilevelSolver().init(problem, [0.0], [0.0])


def test_the_lower_levels_own_linear_constraints_must_fit_the_variables():
    own = LinearConstraint([[1.0]], [[1.0, 0.0]], [1.0])
    lower = ValueFunction(lambda x, y: (float(y @ y), 0 * x, 2 * y), lambda x: 0 * x, constraints=own)
    problem = BilevelProblem(lambda x, y: (0.0, 0 * x, 0 * y), lower)
    with pytest.raises(InputError, match="LinearConstraint"):
        build_model(problem, "joint", 1, 1, (1.0, 1.0), 0.0)


def test_complex_answers_are_refused_by_name():
    problem = BilevelProblem(lambda x, y: (1j * 1.0, 0 * x, 0 * y), SolutionMap(lambda x: x, lambda x, v: v))
    model = build_model(problem, "joint", 1, 1, (1.0, 1.0), 0.0)
    with pytest.raises(OracleError, match="upper value holds complex128; real numbers"):
        model.objective(np.zeros(2))
