"""Windows of traffic for training: calendar marks, and lazy cutting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from simmst.errors import ConfigError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.neighbours import neighbour_patches
from simmst.traffic.scaling import NodeScaler

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

#: Columns of `calendar_marks`.
N_MARKS = 4


def calendar_marks(times: NDArray[np.datetime64]) -> FloatArray:
    """Hour of day and day of week, each as a sine and a cosine.

    Parameters
    ----------
    times : datetime64 array
        Local times, any shape `[...]`.

    Returns
    -------
    ndarray
        float32 `[..., 4]`: sin and cos of the hour of day, sin and cos of the (continuous) day of week.
    """
    minutes = times.astype("datetime64[m]").astype(np.int64)
    day = 2 * np.pi * (minutes % 1440) / 1440
    week = 2 * np.pi * (minutes % 10080) / 10080
    return np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)], axis=-1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class WindowBatch:
    """Samples for a network; traffic is scaled.

    Parameters
    ----------
    history : float32 array `[B, L, P, S]`
        The last L steps before the origin, of the node's patch.
    history_marks, future_marks : float32 array
        Calendar marks float32 `[B, L, M]` and `[B, H, M]`.
    target : float32 array `[B, H, S]`
        The node itself, from the origin on.
    node : int64 array `[B]`
        Node of each sample.
    origin : int64 array `[B]`
        Step of the first target.
    world : int64 array `[B]`, optional
        Simulated world of each sample; None for real traffic.
    """

    history: FloatArray
    history_marks: FloatArray
    future_marks: FloatArray
    target: FloatArray
    node: IntArray
    origin: IntArray
    world: IntArray | None = None


class WindowSource(Protocol):
    """What a trainer needs of a set of windows, real or simulated: a length, and batches cut on demand."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def batch(self, index: IntArray) -> WindowBatch:
        """Cut the windows with these numbers, int `[B]`."""
        ...


def iterate_batches(
    windows: WindowSource, size: int, rng: np.random.Generator | None = None
) -> Iterator[tuple[IntArray, WindowBatch]]:
    """Pass over all windows once.

    Parameters
    ----------
    windows : WindowSource
        Real or simulated windows.
    size : int
        Windows in a batch; the last one may hold fewer.
    rng : Generator, optional
        Shuffles the order; without it the order is that of the numbers.

    Yields
    ------
    tuple
        The numbers of the windows, int64 `[B]`, and the batch.
    """
    if size < 1:
        raise ConfigError(f"batch size={size}: must be at least 1")
    order = np.arange(len(windows)) if rng is None else rng.permutation(len(windows))
    for first in range(0, len(order), size):
        index = order[first : first + size]
        yield index, windows.batch(index)


def needed_steps(lookback: int, season: int | None) -> int:
    """Steps of data that a history needs before its origin, see `WindowDataset.cut`."""
    return lookback if season is None else min(lookback, season)


@dataclass(frozen=True, slots=True)
class WindowDataset:
    """Windows of real traffic, cut when asked for: window `i` is origin `i // N` and node `i % N`.

    Parameters
    ----------
    scaled : float32 array `[T, N, S]`
        Scaled traffic.
    marks : float32 array `[T, M]`
        Calendar marks.
    patches : int64 array `[N, P]`
        Nodes of each patch.
    origins : int64 array `[O]`
        Steps of the first targets.
    lookback, horizon : int
        Steps of history L and of target H.
    season : int, optional
        Where a history reaches back before the data, the first `season` steps stand repeated, values and marks.
    kept : int64 array, optional
        Numbers of the windows that are samples, ascending; None for all.
    """

    scaled: FloatArray
    marks: FloatArray
    patches: IntArray
    origins: IntArray
    lookback: int
    horizon: int
    season: int | None = None
    kept: IntArray | None = None

    @classmethod
    def cut(
        cls,
        data: TrafficData,
        scaler: NodeScaler,
        lookback: int,
        horizon: int,
        first: int = 0,
        stop: int | None = None,
        patch: int = 3,
        season: int | None = None,
    ) -> WindowDataset:
        """All windows whose targets lie wholly in the steps `first .. stop - 1`.

        The history may reach back before `first` (it is known at the origin), but not before the data, unless
        there is a `season`.

        Parameters
        ----------
        data : TrafficData
            The traffic.
        scaler : NodeScaler
            Fitted on the training part.
        lookback, horizon : int
            Steps of history and of target.
        first : int
            First step of the part of the data that the targets come from.
        stop : int, optional
            Its end; that of the data by default.
        patch : int
            Side of the neighbour patch.
        season : int, optional
            A history need only hold this many steps of data, a day say: before them they stand repeated, as often
            as the lookback asks for. So a long lookback does not cost a short file its first days. None: a
            history is of data alone.

        Raises
        ------
        ConfigError
            If no window fits.
        """
        total = len(data.values)
        stop = total if stop is None else stop
        if season is not None and season < 1:
            raise ConfigError(f"season={season}: must be at least 1 step, or None")
        if lookback < 1 or horizon < 1 or not 0 <= first < stop <= total:
            raise ConfigError(
                f"lookback={lookback}, horizon={horizon}, first={first}, stop={stop}: need lookback and "
                f"horizon >= 1 and 0 <= first < stop <= {total} steps"
            )
        origins = np.arange(max(first, needed_steps(lookback, season)), stop - horizon + 1)
        if not origins.size:
            raise ConfigError(
                f"lookback={lookback}, horizon={horizon}: no window fits in steps {first}..{stop - 1}; "
                f"shorten them or give more data"
            )
        return cls(
            scaled=scaler.transform(data.values),
            marks=calendar_marks(data.times),
            patches=neighbour_patches(data, patch),
            origins=origins,
            lookback=lookback,
            horizon=horizon,
            season=season,
        )

    def __len__(self) -> int:
        """Return the number of windows, `O * N` or those kept."""
        return len(self.origins) * len(self.patches) if self.kept is None else len(self.kept)

    def before(self, origin: IntArray) -> IntArray:
        """Steps of the history of each origin: `[B, L]` from `[B]`."""
        past: IntArray = origin[:, None] + np.arange(-self.lookback, 0)
        return past if self.season is None else np.where(past < 0, past % self.season, past)

    def batch(self, index: IntArray) -> WindowBatch:
        """Cut the windows with these numbers, int `[B]`."""
        number = np.asarray(index) if self.kept is None else self.kept[np.asarray(index)]
        place, node = np.divmod(number, len(self.patches))
        origin = self.origins[place]
        past = self.before(origin)
        future = origin[:, None] + np.arange(self.horizon)
        return WindowBatch(
            history=self.scaled[past[:, :, None], self.patches[node][:, None, :]],
            history_marks=self.marks[past],
            future_marks=self.marks[future],
            target=self.scaled[future, node[:, None]],
            node=node,
            origin=origin,
        )
