"""Bi-level optimisation by cutting planes: constraints, cuts and certificates for black-box lower levels."""

from cutplane.choice import minimise
from cutplane.core.cuts import MuCut
from cutplane.core.pool import Polyhedron
from cutplane.errors import CutplaneError, EmptyPolyhedronError, InputError, NoAnswerError, OracleError
from cutplane.history import History, Record, Status
from cutplane.many import ManyResult, Run, solve_many
from cutplane.methods import Level, Linear, Method, OuterApproximation, PrimalDual, Proximal
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

__all__ = [
    "Ball", "BilevelProblem", "BilevelSolver", "Box", "CutplaneError", "CvxpyLevel", "EmptyPolyhedronError",
    "Free", "History", "InputError", "Level", "Linear", "LinearConstraint", "LowerSolution", "ManyResult", "Method", "MuCut",
    "NoAnswerError", "Options", "OracleError", "OracleReport", "OracleWarning", "OuterApproximation", "Polyhedron", "Polytope",
    "PrimalDual", "Proximal", "QuadraticLevel", "Record", "Result", "Run", "ScipyInner", "Simplex", "SolutionMap",
    "State", "Stationarity", "Status", "ValueFunction", "check_oracle", "minimise", "solve_many",
]  # fmt: skip
