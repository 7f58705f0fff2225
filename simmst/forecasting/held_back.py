"""What was forecast on days that nothing was fitted to, beside what came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simmst.traffic.dataset import TrafficData


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Forecasts from several origins, and the truth.

    Attributes
    ----------
    before : TrafficData
        Hourly traffic up to the first origin.
    origins : int array `[O]`
        Hours of the whole data at which the forecasts begin, ascending.
    start_hour : int
        Hour of the week of the data's first step; 0 is Monday's first.
    quantiles : float array `[O, H, N, S, Q]`
        At `simmst.pretraining.reading.LEVELS`, calibrated, ascending.
    truth : float array `[O, H, N, S]`
        NaN where it is not known.
    """

    before: TrafficData
    origins: npt.NDArray[np.int64]
    start_hour: int
    quantiles: npt.NDArray[np.floating]
    truth: npt.NDArray[np.floating]

    def hour_of_day(self) -> npt.NDArray[np.int64]:
        """Local hour `[O, H]` of each forecast."""
        ahead = np.arange(self.truth.shape[1])
        return np.asarray((self.start_hour + self.origins[:, None] + ahead) % 24, dtype=np.int64)
