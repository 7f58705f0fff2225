"""The traffic that errors are measured on, and what a reader must know first."""

from dataclasses import dataclass

from simmst.traffic.dataset import TrafficData

#: Goes with every figure that simulated windows had a part in.
PRIOR_NOTICE = (
    "The ranges that simulated cities are drawn from were set with statistics of Milano and Jinan, of all their "
    "days: on traffic of these two cities, what simulated windows bring is no independent test."
)


#: Longitude and latitude of the two, west, south, east, north, in degrees.
_SEEN = ((8.9, 45.2, 9.5, 45.7), (116.2, 36.0, 117.8, 37.6))


def prior_has_seen(data: TrafficData) -> bool:
    """Tell whether traffic may be of a city of `PRIOR_NOTICE`, by where its nodes are; True where nobody knows."""
    if data.coordinates is None:
        return True
    east, north = data.coordinates.mean(axis=0)
    return any(w <= east <= e and s <= north <= n for w, s, e, n in _SEEN)


@dataclass(frozen=True, slots=True)
class Target:
    """Hourly traffic with the name it is shown under, and what a reader must know about it first."""

    data: TrafficData
    name: str
    notices: tuple[str, ...] = ()
