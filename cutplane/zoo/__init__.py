"""Test problems with known solutions, a few lines each; ``python -m cutplane zoo`` solves all of them.

Every known value is a closed form derived in a comment, or was found by a search that shares no code with
the library (grids, bounded scalar searches, enumeration of complementarity patterns; in the tests).
"""

from cutplane.zoo import constrained, convex, learning, linear, nonconvex, nonsmooth
from cutplane.zoo.base import ZooProblem
from cutplane.zoo.run import Outcome, solve

__all__ = ["Outcome", "ZooProblem", "problem", "problems", "skipped", "solve"]


def problems() -> tuple[ZooProblem, ...]:
    """Return all problems that this installation can build; `skipped` names the others."""
    found = [
        p for family in (convex, nonsmooth, constrained, linear, nonconvex, learning) for p in family.problems()
    ]
    if not skipped():
        found.append(learning.hyper_cleaning())
    return tuple(found)


def skipped() -> dict[str, str]:
    """Return the names of problems that cannot be built here, with the reason."""
    try:
        import sklearn.datasets  # noqa: F401
    except ImportError:
        return {"hyper-cleaning": "needs the digits of scikit-learn, which is not installed"}
    return {}


def problem(name: str) -> ZooProblem:
    """Return the problem of this name.

    Raises
    ------
    KeyError
        If there is none.
    """
    for found in problems():
        if found.name == name:
            return found
    known = ", ".join(p.name for p in problems())
    raise KeyError(f"no problem is called {name!r}; known: {known}")
