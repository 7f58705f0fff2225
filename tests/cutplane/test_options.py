"""Options that cannot be are refused by name."""

import numpy as np
import pytest

from cutplane import BilevelSolver, InputError, Options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"formulation": "both"}, "formulation must be 'joint' or 'reduced'"),
        ({"epsilon": -1}, "epsilon must be ≥ 0, not -1"),
        ({"feasibility": np.nan}, "feasibility must be ≥ 0"),
        ({"tolerance": 0}, "tolerance must be one number > 0"),
        ({"x_scale": "big"}, "x_scale must be one number > 0, not 'big'"),
        ({"y_scale": np.ones(3)}, "y_scale must be one number > 0"),
        ({"max_iterations": 0}, "max_iterations must be a whole number ≥ 1"),
        ({"patience": 1.5}, "patience must be a whole number ≥ 1"),
        ({"max_age": 0}, "max_age must be a whole number"),
        ({"max_planes": 1}, "max_planes must be a whole number ≥ 2"),
        ({"time_limit": 0.0}, "time_limit must be a number of seconds > 0"),
        ({"cut": "mu"}, "cut must be a cut rule such as MuCut"),
    ],
)
@pytest.mark.parametrize("kind", [Options, BilevelSolver])
def test_an_option_that_cannot_be_is_named(kind, options, words):
    with pytest.raises(InputError, match=words):
        kind(**options)


def test_a_solver_has_the_defaults_of_the_options():
    solver, options = BilevelSolver(), Options()
    assert {name: getattr(solver, name) for name in vars(options)} == vars(options)
