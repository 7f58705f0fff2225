"""The errors of the library: one small tree, each message naming what is wrong and how to mend it."""


class CutplaneError(Exception):
    """Base of every error that the library raises on purpose."""


class InputError(CutplaneError, ValueError):
    """An argument has the wrong shape, holds a non-finite value, or is outside its range."""


class OracleError(CutplaneError, ArithmeticError):
    """An oracle answered with a non-finite number or with a shape other than before."""


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


class ProjectionError(CutplaneError, ArithmeticError):
    """The nearest point of a set could not be computed to the accuracy promised."""
