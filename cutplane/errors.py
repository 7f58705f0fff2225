"""The errors of the library: one small tree, each message naming what is wrong and how to mend it."""

from typing import Any


class CutplaneError(Exception):
    """Base of every error that the library raises on purpose."""


class InputError(CutplaneError, ValueError):
    """An argument has the wrong shape, holds a non-finite value, or is outside its range."""


class OracleError(CutplaneError, ArithmeticError):
    """An oracle answered with a non-finite number or with a shape other than before."""


class NoAnswerError(OracleError):
    """The lower level or F has no answer at this x: infeasible, unbounded, or not finite there.

    Attributes
    ----------
    violation, gradient : float and ndarray of shape (n_x,), or None
        Where known, the least violation of the lower level's rows at this x, convex in x, and its gradient.
    """

    def __init__(self, message: str, violation: float | None = None, gradient: Any = None) -> None:
        super().__init__(message)
        self.violation, self.gradient = violation, gradient


class SeveralAnswersError(NoAnswerError):
    """The lower level has several answers at this x, so that y*(x) and its derivative are not said."""


class EmptyPolyhedronError(CutplaneError, ArithmeticError):
    """No point of the feasible sets satisfies all planes of the pool.

    Attributes
    ----------
    planes : tuple of int
        Serial numbers of the planes in conflict.
    """

    def __init__(self, message: str, planes: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.planes = planes


class MasterError(CutplaneError, ArithmeticError):
    """A master could not be solved to the accuracy promised: its planes are too steep or too alike for that."""


class OutOfTimeError(CutplaneError):
    """The time limit was reached within an iteration."""


class ProjectionError(CutplaneError, ArithmeticError):
    """The nearest point of a set could not be computed to the accuracy promised."""
