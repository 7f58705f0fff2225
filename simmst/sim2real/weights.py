"""From the upper variable x to one weight a sample."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from simmst.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SampleWeights:
    """Weights s_j = x_{group(j)}, or σ(x_{group(j)}): one number a sample, or one a world.

    Parameters
    ----------
    groups : int array of shape (n,)
        Group of each sample, 0 .. G - 1; samples of one group share their weight.
    sigmoid : bool
        The paper's s = σ(w) with x = w free. Without it x is s itself, to be kept in [0, 1] by a Box: then
        cuts stay valid for one unrolled step, which they do not for σ(w).
    """

    groups: NDArray[np.int64]
    sigmoid: bool = False

    def __post_init__(self) -> None:
        groups = np.asarray(self.groups)
        if groups.ndim != 1 or not groups.size or not np.issubdtype(groups.dtype, np.integer):
            raise ConfigError(f"groups must be whole numbers of shape (n,), got {groups.dtype} {groups.shape}")
        if not np.array_equal(np.unique(groups), np.arange(groups.max() + 1)):
            raise ConfigError("groups must use every number from 0 to their largest")
        object.__setattr__(self, "groups", groups.astype(np.int64))

    @classmethod
    def per_sample(cls, samples: int, sigmoid: bool = False) -> Self:
        """One weight for each of n samples."""
        return cls(np.arange(samples), sigmoid)

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return len(self.groups)

    @property
    def size(self) -> int:
        """Length G of x."""
        return int(self.groups.max()) + 1

    def __call__(self, x: Tensor) -> Tensor:
        """Return s `[n]` from x `[G]`; differentiable."""
        values = torch.sigmoid(x) if self.sigmoid else x
        return values[torch.from_numpy(self.groups).to(x.device)]

    def of(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return s `[n]` from x `[G]` in numpy."""
        return np.asarray(self(torch.from_numpy(np.asarray(x, dtype=np.float64))))

    def pull_back(self, x: NDArray[np.floating], in_samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (∂s/∂x)ᵀ of a vector `[n]`: sums over each group, times σ' where there is a sigmoid."""
        gradient = np.bincount(self.groups, weights=in_samples, minlength=self.size).astype(np.float64)
        if self.sigmoid:
            s = special.expit(np.asarray(x, dtype=np.float64))
            gradient = gradient * s * (1 - s)
        return gradient
