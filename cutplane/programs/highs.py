"""The one place that opens HiGHS: silent, on one thread, and no status goes unread.

HiGHS (1.15.1) fixes the number of threads with the first run and refuses every other number from then on, with a
zero solution. So the number asked for is 0, "whatever is there", and a run that is refused is an error by name.
"""

import signal
import threading
from typing import Any

import highspy
import numpy as np

from cutplane.errors import MasterError, OutOfTimeError

KEPT = 1e-12
"""Least entry that HiGHS can be told to keep."""


class _Silent(highspy.Highs):
    """HiGHS 1.16 greets on stdout when a new object sets its callbacks up, unless it was told before not to."""

    def enableCallbacks(self) -> None:
        """Turn the output off first."""
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def open_simplex(tolerance: float) -> Any:
    """Return an empty HiGHS model for a serial simplex method without presolve.

    Parameters
    ----------
    tolerance : float
        Feasibility of rows, bounds and reduced costs, absolute in the numbers that go in.

    Raises
    ------
    MasterError
        Where HiGHS refuses an option.
    """
    h = _Silent()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False), ("threads", 0), ("parallel", "off"), ("presolve", "off"), ("solver", "simplex"),
        ("small_matrix_value", KEPT),
        ("primal_feasibility_tolerance", tolerance), ("dual_feasibility_tolerance", tolerance),
    ):  # fmt: skip
        taken(h.setOptionValue(option, value), f"the option {option} = {value}")
    return h


def taken(status: Any, what: str) -> bool:
    """Whether HiGHS took something as it is; False where it changed it, with a warning.

    Raises
    ------
    MasterError
        Where it refused it.
    """
    if status == highspy.HighsStatus.kError:
        raise MasterError(f"HiGHS refused {what}")
    return bool(status == highspy.HighsStatus.kOk)


def run(h: Any) -> str:
    """Run; return "optimal", "infeasible", "unbounded" or "failed".

    Raises
    ------
    MasterError
        Where the run was refused, so that there is no answer at all.
    """
    status, model = h.run(), h.getModelStatus()
    if status == highspy.HighsStatus.kError and model in _UNTOUCHED:
        raise MasterError(
            "HiGHS refused to run and gave no answer; where something else in this process uses it, "
            "highspy.Highs.resetGlobalScheduler(True) lets go of what that has fixed"
        )
    return _NAMES.get(model, "failed") if status == highspy.HighsStatus.kOk else "failed"


_UNTOUCHED = (
    highspy.HighsModelStatus.kNotset, highspy.HighsModelStatus.kLoadError, highspy.HighsModelStatus.kModelError,
)  # fmt: skip
_NAMES: dict[Any, str] = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnbounded: "unbounded",
    highspy.HighsModelStatus.kUnboundedOrInfeasible: "unbounded",
}


def power(size: float) -> float:
    """Return the power of two nearest to a positive number."""
    return float(np.exp2(np.round(np.log2(size))))


def open_mip(tolerance: float) -> Any:
    """Return an empty HiGHS model for a serial branch and cut that stops at no gap but `tolerance`, absolute.

    Raises
    ------
    MasterError
        Where HiGHS refuses an option.
    """
    h = _Silent()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False), ("threads", 0), ("parallel", "off"), ("small_matrix_value", KEPT),
        ("mip_rel_gap", 0.0), ("mip_abs_gap", tolerance), ("mip_feasibility_tolerance", 1e-9),
        ("primal_feasibility_tolerance", 1e-9), ("dual_feasibility_tolerance", 1e-9),
    ):  # fmt: skip
        taken(h.setOptionValue(option, value), f"the option {option} = {value}")
    return h


def run_mip(h: Any, seconds: float) -> str:
    """Run a branch and cut as `run` does, which Ctrl-C and a time limit end.

    Parameters
    ----------
    h : highspy.Highs
    seconds : float
        Time limit; may be infinite.

    Raises
    ------
    KeyboardInterrupt
        After HiGHS has let go; without this Ctrl-C would wait for its end.
    OutOfTimeError
        Where the time limit ended it.
    """
    taken(h.setOptionValue("time_limit", max(seconds, 0.0)), "the time limit")
    pressed: list[int] = []
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number)) if main else None

    def look(event: Any) -> None:
        if pressed:
            event.interrupt()

    h.cbMipInterrupt += look
    try:
        status = run(h)
    finally:
        h.cbMipInterrupt -= look
        if main:
            signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
    if h.getModelStatus() == highspy.HighsModelStatus.kTimeLimit:
        raise OutOfTimeError("the time limit was reached within an integer programme")
    return status
