"""Bi-level optimisation by cutting planes: constraints, cuts and certificates for black-box lower levels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutplane.choice import minimise
    from cutplane.core.cuts import MuCut
    from cutplane.core.pool import Polyhedron
    from cutplane.errors import CutplaneError, EmptyPolyhedronError, InputError, NoAnswerError, OracleError
    from cutplane.history import History, Record, Status
    from cutplane.methods import Level, Linear, Method, PrimalDual, Proximal
    from cutplane.options import Options
    from cutplane.oracles import (
        CvxpyLevel,
        LowerSolution,
        OracleReport,
        OracleWarning,
        QuadraticLevel,
        ScipyInner,
        SolutionMap,
        Stationarity,
        ValueFunction,
        check_oracle,
    )
    from cutplane.problem import BilevelProblem, LinearConstraint
    from cutplane.result import Result
    from cutplane.sets import Ball, Box, Free, Polytope, Simplex
    from cutplane.solver import BilevelSolver
    from cutplane.state import State

# What users import, and the module that it is in; read when it is first asked for, as most need few of them.
_HOMES = {
    "Ball": "sets", "BilevelProblem": "problem", "BilevelSolver": "solver", "Box": "sets",
    "CutplaneError": "errors", "CvxpyLevel": "oracles.cvxpy_level", "EmptyPolyhedronError": "errors",
    "Free": "sets", "History": "history", "InputError": "errors", "Level": "methods", "Linear": "methods",
    "LinearConstraint": "problem", "LowerSolution": "oracles.value_function", "Method": "methods",
    "MuCut": "core.cuts", "NoAnswerError": "errors", "Options": "options", "OracleError": "errors",
    "OracleReport": "oracles.check", "OracleWarning": "oracles.check", "Polyhedron": "core.pool",
    "Polytope": "sets", "PrimalDual": "methods", "Proximal": "methods",
    "QuadraticLevel": "oracles.quadratic_level", "Record": "history", "Result": "result",
    "ScipyInner": "oracles.scipy_inner", "Simplex": "sets", "SolutionMap": "oracles.solution_map",
    "State": "state", "Stationarity": "oracles.stationarity", "Status": "history",
    "ValueFunction": "oracles.value_function", "check_oracle": "oracles.check", "minimise": "choice",
}  # fmt: skip
__all__ = [
    "Ball", "BilevelProblem", "BilevelSolver", "Box", "CutplaneError", "CvxpyLevel", "EmptyPolyhedronError",
    "Free", "History", "InputError", "Level", "Linear", "LinearConstraint", "LowerSolution", "Method", "MuCut",
    "NoAnswerError", "Options", "OracleError", "OracleReport", "OracleWarning", "Polyhedron", "Polytope",
    "PrimalDual", "Proximal", "QuadraticLevel", "Record", "Result", "ScipyInner", "Simplex", "SolutionMap",
    "State", "Stationarity", "Status", "ValueFunction", "check_oracle", "minimise",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cutplane' has no attribute {name!r}")
    found = getattr(import_module(f"cutplane.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *__all__])
