"""From calendar marks back to the step of the day and the day of the week, for models that embed both."""

import math

import torch
from torch import Tensor


def week_places(marks: Tensor, steps_per_day: int) -> tuple[Tensor, Tensor]:
    """Step of the day and day of the week that marks stand for.

    Parameters
    ----------
    marks : Tensor `[..., 4]`
        Sine and cosine of the hour of day, then of the day of week, as `simmst.traffic.windows.calendar_marks`
        makes them.
    steps_per_day : int

    Returns
    -------
    tuple of int Tensor `[...]`
        Step of the day, 0 at midnight, and day of the week, 0..6 from some weekday on.
    """
    angle = torch.atan2(marks[..., 2], marks[..., 3]) / (2.0 * math.pi)  # share of the week, −½..½
    step = torch.round(angle * 7 * steps_per_day).long() % (7 * steps_per_day)
    return step % steps_per_day, step // steps_per_day
