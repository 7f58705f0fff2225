"""Figures of the zoo stay what they are: F, the number of iterations and the status of 88 short runs.

`golden_zoo.txt` was written by the library before its modules were moved and methods became objects. It holds
the runs in which starts moved by 1e-14 change nothing of it, so that another machine's rounding does not. That F
is right is the part of `test_zoo.py`, by independent solvers; here a change of figures shows that nobody meant.
"""

from pathlib import Path

import pytest

from cutplane import BilevelSolver, zoo

ROWS = [line.split() for line in (Path(__file__).parent / "golden_zoo.txt").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("name", dict.fromkeys(row[0] for row in ROWS))
def test_figures_are_as_before(name):
    entry = zoo.problem(name)
    for _, method, formulation, fun, nit, status in (row for row in ROWS if row[0] == name):
        solver = BilevelSolver(method, formulation=formulation, **entry.options)
        result = solver.solve(entry.problem, entry.x0, entry.y0)
        assert result.fun == pytest.approx(float(fun), rel=1e-9, abs=1e-9), (method, formulation)
        assert (result.nit, result.status.name.lower()) == (int(nit), status), (method, formulation)
