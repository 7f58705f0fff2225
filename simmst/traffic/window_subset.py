"""Some windows of a source, drawn once."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from simmst.traffic.windows import WindowBatch, WindowSource


@dataclass(frozen=True, slots=True)
class WindowSubset:
    """Some windows of a source, by their numbers."""

    source: WindowSource
    chosen: npt.NDArray[np.int64]

    @classmethod
    def draw(cls, source: WindowSource, windows: int, seed: int) -> Self:
        """Draw so many windows without repeats, or take all if there are no more."""
        rng = np.random.default_rng([seed, len(source)])
        return cls(source, np.sort(rng.choice(len(source), min(windows, len(source)), replace=False)))

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.chosen)

    def batch(self, index: npt.NDArray[np.int64]) -> WindowBatch:
        """Cut the windows with these numbers."""
        return self.source.batch(self.chosen[np.asarray(index)])
