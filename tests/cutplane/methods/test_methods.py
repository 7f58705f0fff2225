"""A method is an object with its own options; a name stands for one; what is neither is refused in words."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from cutplane import (
    BilevelProblem,
    BilevelSolver,
    Box,
    InputError,
    Level,
    Linear,
    Method,
    PrimalDual,
    Proximal,
    SolutionMap,
)  # fmt: skip
from cutplane.methods import METHODS, as_method


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (PrimalDual, {"regularisation": np.inf}, "regularisation must be one number > 0, not inf"),
        (PrimalDual, {"step_x": 0.0}, "step_x must be > 0, not 0.0"),
        (PrimalDual, {"step_y": "small"}, "step_y must be > 0, not 'small'"),
        (PrimalDual, {"step_dual": -1.0}, "step_dual must be > 0"),
        (PrimalDual, {"penalty_growth": 1.0}, "penalty_growth must be > 1"),
        (PrimalDual, {"cut_every": 2.5}, "cut_every must be a whole number ≥ 1, not 2.5"),
        (PrimalDual, {"phase1_iterations": 0}, "phase1_iterations must be a whole number ≥ 1"),
        (Linear, {"trust_radius": -1.0}, "trust_radius must be one number > 0"),
    ],
)
def test_an_option_that_cannot_be_is_named_by_the_method_and_beside_its_name(kind, options, words):
    with pytest.raises(InputError, match=words):
        kind(**options)
    with pytest.raises(InputError, match=words):
        BilevelSolver(kind().name, **options)


@pytest.mark.parametrize("name", METHODS)
def test_a_name_stands_for_the_defaults(name):
    assert as_method(name, {}) == METHODS[name]() and METHODS[name]().name == name
    assert BilevelSolver(name) == BilevelSolver(method=METHODS[name]())
    assert isinstance(METHODS[name](), Method)
    with pytest.raises(FrozenInstanceError):
        METHODS[name]().name = "other"


def test_a_name_with_options_is_the_object_with_them():
    assert BilevelSolver("linear", trust_radius=0.5).method == Linear(trust_radius=0.5)
    assert BilevelSolver(cut_every=5, step_x=0.1).method == PrimalDual(cut_every=5, step_x=0.1)


@pytest.mark.parametrize(
    ("method", "own", "words"),
    [
        ("simplex", {}, "method must be one of primal-dual, linear, level, proximal, outer; not 'simplex'"),
        ("level", {"cut_every": 5}, "option of method='primal-dual'; with method='level' leave it out"),
        ("primal-dual", {"trust_radius": 1.0}, "trust_radius is an option of method='linear'"),
        (PrimalDual(), {"cut_every": 5}, "cut_every is an option of 'primal-dual': give it to the method"),
        (Level(), {"trust_radius": 5}, "trust_radius is an option of 'linear': give it to the method"),
        (Proximal, {}, r"method must be an object, not a class: Proximal\(\)"),
        (None, {}, "an object with name, convex_only, start and move; not None"),
        (3, {}, "an object with name, convex_only, start and move; not 3"),
    ],
)
def test_wrong_methods_and_options_are_refused(method, own, words):
    with pytest.raises(InputError, match=words):
        BilevelSolver(method, **own)


@pytest.mark.parametrize("method", [Linear(), "linear"])
def test_a_name_is_no_option(method):
    with pytest.raises(TypeError, match="no option 'name'"):
        BilevelSolver(method, name="other")


class Still:
    """A method that is not one: its name is taken."""

    name, convex_only = "level", False

    def start(self, model, state, options):
        """Nothing."""

    def move(self, model, state, options):
        """Nothing."""


def test_a_name_that_is_taken_is_refused_and_a_subclass_keeps_its_own():
    with pytest.raises(InputError, match="the name 'level' is that of Level: give your method another one"):
        BilevelSolver(Still())

    class Watched(Level):
        """A level method that counts."""

    assert BilevelSolver(Watched()).method.name == "level"


def test_a_state_goes_on_with_the_method_that_made_it_alone():
    problem = BilevelProblem(
        lambda x, y: (float((y - 2) @ (y - 2)), 0 * x, 2 * (y - 2)),
        SolutionMap(lambda x: x, lambda x, v: v), Box(0, 1), convex=True,
    )  # fmt: skip
    state = BilevelSolver(Level(), max_iterations=1).solve(problem, [0.5], [0.0]).state
    with pytest.raises(InputError, match=r"made with method and formulation = \['level' 'joint'\]"):
        BilevelSolver(Proximal()).solve(problem, state=state)
    # options of the method's own may change in between: (y − 2)² over y = x ≤ 1 is 1
    part = BilevelSolver(PrimalDual(cut_every=3), max_iterations=20).solve(problem, [0.5], [0.0])
    whole = BilevelSolver(PrimalDual(cut_every=7)).solve(problem, state=part.state)
    assert whole.success and whole.fun == pytest.approx(1.0, abs=1e-6)
