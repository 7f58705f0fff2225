"""Which days train, validate and test: spans of steps, and whole days split as 14 : 3 : 5."""

from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from simmst.errors import SimmstError


@dataclass(frozen=True, slots=True)
class Span:
    """The steps ``start .. stop - 1``, zero-based."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise SimmstError(f"span: needs 0 <= start < stop, got {self.start} .. {self.stop}")

    @property
    def steps(self) -> slice:
        """The span as a slice of the time axis."""
        return slice(self.start, self.stop)

    def origins(self, horizon: int) -> npt.NDArray[np.int64]:
        """Every step of the span from which the whole horizon still lies within it."""
        return np.arange(self.start, self.stop - horizon + 1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Protocol:
    """Training, validation and test parts of one series, in this order and without overlap.

    Errors are counted over every origin of the test part whose whole horizon fits into it, every forecast
    step and every node. Inputs may reach back before the part that is forecast. Models are fitted on the
    training part alone and chosen on the validation part.

    Attributes
    ----------
    train, validation, test : Span
    steps_per_day : int
    """

    train: Span
    validation: Span
    test: Span
    steps_per_day: int = 24

    def __post_init__(self) -> None:
        if not (self.train.stop <= self.validation.start and self.validation.stop <= self.test.start):
            raise SimmstError("protocol: the parts must follow each other: train, validation, test")

    @classmethod
    def proportional(cls, steps: int, step_minutes: int = 60, horizon: int = 24) -> "Protocol":
        """Split whole days as 14 : 3 : 5, the parts of the 22 days of Jinan.

        Of D whole days the last round(5 D / 22) test, the round(3 D / 22) before them validate (at least
        one each, and as many as the horizon needs), the rest trains; steps after the last whole day are
        left out. For 22 days this is Protocol J: days 1-14, 15-17, 18-22.

        Parameters
        ----------
        steps : int
            Length of the series.
        step_minutes : int
            Minutes per step; must divide a day.
        horizon : int
            Longest forecast in steps.

        Raises
        ------
        SimmstError
            If the training part would not hold the week that the inputs reach back, the horizon and one day
            of origins.
        """
        if 1440 % step_minutes:
            raise SimmstError(f"step_minutes: must divide a day (1440 minutes), got {step_minutes}")
        day = 1440 // step_minutes
        days = steps // day
        if not cls.fits(days, day, horizon):
            needed = next(more for more in count(days) if cls.fits(more, day, horizon))
            shorter = next((less for less in range(horizon - 1, 0, -1) if cls.fits(days, day, less)), None)
            less = f", or take a horizon of at most {shorter} steps" if shorter else ""
            raise SimmstError(
                f"data: {days} whole days are too few for training, validation and test days with a horizon of "
                f"{horizon} steps: {needed} are needed; give a longer file{less}"
            )
        train, validation, _ = _split(days, day, horizon)
        return cls(
            Span(0, train * day),
            Span(train * day, (train + validation) * day),
            Span((train + validation) * day, days * day),
            day,
        )

    @staticmethod
    def fits(days: int, steps_per_day: int, horizon: int) -> bool:
        """Whether a week of inputs, a day of origins and the horizon are left to train in."""
        return _split(days, steps_per_day, horizon)[0] * steps_per_day >= 8 * steps_per_day + horizon

    def fit_origins(self, horizon: int) -> npt.NDArray[np.int64]:
        """Training origins with one week of inputs before them."""
        return Span(self.train.start + 7 * self.steps_per_day, self.train.stop).origins(horizon)


def _split(days: int, steps_per_day: int, horizon: int) -> tuple[int, int, int]:
    """Days that train, validate and test."""
    reach = -(-horizon // steps_per_day)
    validation, test = max(reach, round(3 * days / 22)), max(reach, round(5 * days / 22))
    return days - validation - test, validation, test
