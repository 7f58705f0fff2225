"""Ready lower-level oracles, one idea a file; any object with ``gap(x, y)`` works beside them."""

from cutplane.oracles.solution_map import SolutionMap

__all__ = ["SolutionMap"]
