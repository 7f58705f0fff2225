"""Mixed-integer linear programmes by HiGHS: an answer whose whole numbers are whole, and the bound it claims."""

import time
from dataclasses import dataclass

import highspy
import numpy as np

from cutplane._arrays import Array
from cutplane.errors import MasterError
from cutplane.programs import highs


@dataclass(frozen=True, slots=True)
class MilpAnswer:
    """Outcome of `minimise_milp`.

    Attributes
    ----------
    status : {"optimal", "infeasible", "unbounded", "failed"}
    point : ndarray of shape (n,)
        Whole numbers rounded; zeros unless optimal.
    bound : float
        HiGHS's dual bound: a claim in floating point, which nothing here proves.
    """

    status: str
    point: Array
    bound: float


def minimise_milp(
    cost: Array, A: Array, low: Array, high: Array, lower: Array, upper: Array, integer: Array,
    end: float = np.inf, gap: float = 1e-9,
) -> MilpAnswer:  # fmt: skip
    """Minimise cost·v over low ≤ A v ≤ high, lower ≤ v ≤ upper, v whole where `integer`.

    Parameters
    ----------
    cost, lower, upper : ndarray of shape (n,)
    A : ndarray of shape (k, n)
    low, high : ndarray of shape (k,)
    integer : ndarray of bool, shape (n,)
    end : float
        Time of `time.monotonic` at which to give up.
    gap : float
        Absolute gap at which HiGHS stops.

    Raises
    ------
    MasterError
        Where HiGHS refuses the programme, or to run.
    OutOfTimeError
        At `end`.
    """
    h = highs.open_mip(gap)
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = cost.size, low.size
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost.astype(float), lower.astype(float), upper.astype(float)
    lp.row_lower_, lp.row_upper_ = low.astype(float), high.astype(float)
    rows, columns = np.nonzero(A)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.searchsorted(rows, np.arange(low.size + 1)).astype(np.int32)
    lp.a_matrix_.index_ = columns.astype(np.int32)
    lp.a_matrix_.value_ = A[rows, columns].astype(float)
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[int(whole)] for whole in integer]
    # a warning is about entries below 1e-12, which the caller's look at the answer finds where they matter
    highs.taken(h.passModel(lp), "the integer programme: divide F so that its slopes are nearer to 1")
    status = highs.run_mip(h, end - time.monotonic())
    values = np.asarray(h.getSolution().col_value, dtype=float)
    if status != "optimal" or values.size != cost.size or not np.isfinite(values).all():
        return MilpAnswer("failed" if status == "optimal" else status, np.zeros(cost.size), -np.inf)
    point = np.clip(np.where(integer, np.rint(values), values), lower, upper)
    if np.abs(values - point)[integer].max(initial=0.0) > 1e-5:
        raise MasterError("HiGHS gave an integer programme an answer that is not whole")
    info = h.getInfo()
    bound = float(info.mip_dual_bound) if integer.any() else float(info.objective_function_value)
    return MilpAnswer("optimal", point, bound)
