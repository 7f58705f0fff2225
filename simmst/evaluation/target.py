"""The traffic that errors are measured on, and what a reader must know first."""

from dataclasses import dataclass

from simmst.traffic.dataset import TrafficData

#: Goes with every figure that simulated windows had a part in.
PRIOR_NOTICE = (
    "The ranges that simulated cities are drawn from were set with statistics of Milano and Jinan, of all their "
    "days: on traffic of these two cities, what simulated windows bring is no independent test."
)


@dataclass(frozen=True, slots=True)
class Target:
    """Hourly traffic with the name it is shown under, and what a reader must know about it first."""

    data: TrafficData
    name: str
    notices: tuple[str, ...] = ()
