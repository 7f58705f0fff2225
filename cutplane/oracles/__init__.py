"""Ready lower-level oracles, one idea a file; any object with ``gap(x, y)`` works beside them."""

from cutplane.oracles.check import OracleReport, OracleWarning, check_oracle
from cutplane.oracles.cvxpy_level import CvxpyLevel
from cutplane.oracles.quadratic_level import QuadraticLevel
from cutplane.oracles.scipy_inner import ScipyInner
from cutplane.oracles.solution_map import SolutionMap
from cutplane.oracles.stationarity import Stationarity
from cutplane.oracles.value_function import LowerSolution, ValueFunction

__all__ = [
    "CvxpyLevel", "LowerSolution", "OracleReport", "OracleWarning", "QuadraticLevel", "ScipyInner", "SolutionMap",
    "Stationarity", "ValueFunction", "check_oracle",
]  # fmt: skip
