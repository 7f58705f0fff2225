"""From the upper variable x to one weight a sample: per sample, per world, both, or a function of θ."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse, special
from torch import Tensor

from simmst.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class SampleWeights:
    """Weights s = B x, or σ(B x): each sample takes its weight from a few entries of x.

    The rows of B are at least 0 and sum to 1, so that s lies in [0, 1] where x does, and s is linear in x:
    cuts for one unrolled step stay valid, which they do not for σ.

    Parameters
    ----------
    basis : sparse array of shape (n, G)
        B. `per_sample`, `per_world`, `world_and_sample` and `of_parameters` make the usual ones.
    sigmoid : bool
        The paper's s = σ(w) with x = w free. Without it x is to be kept in [0, 1] by a set.
    """

    basis: sparse.csr_array
    sigmoid: bool = False

    def __post_init__(self) -> None:
        basis = sparse.csr_array(self.basis, dtype=np.float64)
        if 0 in basis.shape:
            raise ConfigError(f"basis must have samples and columns, got shape {basis.shape}")
        if (basis.data < 0).any() or np.abs(basis.sum(axis=1) - 1).max() > 1e-9:
            raise ConfigError("the rows of basis must be at least 0 and sum to 1")
        if (basis.sum(axis=0) <= 0).any():
            raise ConfigError("basis has a column that no sample takes its weight from")
        object.__setattr__(self, "basis", basis)

    @classmethod
    def per_sample(cls, samples: int, sigmoid: bool = False) -> Self:
        """One weight for each of n samples."""
        return cls.per_world(np.arange(samples), sigmoid)

    @classmethod
    def per_world(cls, world: NDArray[np.integer], sigmoid: bool = False) -> Self:
        """One weight a world, numbered 0 .. W - 1 in `world` `[n]`."""
        world = np.asarray(world)
        if world.ndim != 1 or not world.size or not np.issubdtype(world.dtype, np.integer):
            raise ConfigError(f"world must be whole numbers of shape (n,), got {world.dtype} {world.shape}")
        if not np.array_equal(np.unique(world), np.arange(world.max() + 1)):
            raise ConfigError("world must use every number from 0 to its largest")
        n = len(world)
        return cls(sparse.csr_array((np.ones(n), world, np.arange(n + 1))), sigmoid)

    @classmethod
    def world_and_sample(cls, world: NDArray[np.integer], sigmoid: bool = False) -> Self:
        """Half the weight of the world `[W]` and half one of the sample's own `[n]`; x is one after the other.

        A world's entry moves all of its samples, so it learns first; the sample's own refines it.
        """
        both = sparse.hstack([cls.per_world(world).basis, cls.per_sample(len(world)).basis])
        return cls(0.5 * sparse.csr_array(both), sigmoid)

    @classmethod
    def of_parameters(
        cls, theta: NDArray[np.floating], world: NDArray[np.integer], knots: int = 4, sigmoid: bool = False
    ) -> Self:
        """Mean over the parameters of a piecewise linear function of each one's rank among the worlds.

        Parameters
        ----------
        theta : array of shape (W, p)
            Parameters of each world; those that all worlds share are left out.
        world : int array of shape (n,)
        knots : int
            Knots of each function, at equal distances in rank; x holds the values there, p · knots of them.
        sigmoid : bool
        """
        per_world = cls.per_world(world).basis
        if theta.ndim != 2 or len(theta) != per_world.shape[1]:
            raise ConfigError(f"theta must have shape ({per_world.shape[1]}, p), got {theta.shape}")
        if knots < 2:
            raise ConfigError(f"knots must be at least 2, got {knots}")
        varying = theta[:, np.ptp(theta, axis=0) > 0]
        if not varying.shape[1]:
            raise ConfigError("theta is the same in all worlds: there is nothing to be a function of")
        rank = np.stack([_rank(column) for column in varying.T], axis=1)  # [W, p] in [0, 1]
        distance = np.abs(rank[:, :, None] * (knots - 1) - np.arange(knots))  # [W, p, K]
        hats = np.maximum(0.0, 1.0 - distance).reshape(len(theta), -1) / varying.shape[1]
        used = hats.sum(axis=0) > 0
        return cls(sparse.csr_array(per_world @ sparse.csr_array(hats[:, used])), sigmoid)

    @property
    def samples(self) -> int:
        """Number of samples n."""
        return int(self.basis.shape[0])

    @property
    def size(self) -> int:
        """Length G of x."""
        return int(self.basis.shape[1])

    @property
    def counts(self) -> NDArray[np.float64]:
        """How many samples each entry of x stands for, Bᵀ1 `[G]`; they add up to n.

        Without the sigmoid Σ s = counts · x.
        """
        return np.asarray(self.basis.sum(axis=0), dtype=np.float64)

    def repeated(self, times: int) -> Self:
        """Weights of samples that stand `times` times one after the other, such as a window's forecast steps."""
        return type(self)(self.basis[np.repeat(np.arange(self.samples), times)], self.sigmoid)

    def torch_map(self, like: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the map x `[G]` -> s `[n]`, differentiable, in the dtype and on the device of a tensor."""
        place = torch.from_numpy(self.basis.indices.astype(np.int64)).to(like.device)
        share = torch.from_numpy(self.basis.data).to(like)
        sample = torch.from_numpy(np.repeat(np.arange(self.samples), np.diff(self.basis.indptr))).to(like.device)

        # `of` once more, in torch: K steps of a network are differentiated through it, forward and in reverse.
        def weights(x: Tensor) -> Tensor:
            s = torch.zeros(self.samples, dtype=x.dtype, device=x.device).index_add(0, sample, share * x[place])
            return torch.sigmoid(s) if self.sigmoid else s

        return weights

    def of(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return s `[n]` from x `[G]` in numpy."""
        s = self.basis @ np.asarray(x, dtype=np.float64)
        return np.asarray(special.expit(s) if self.sigmoid else s)

    def pull_back(self, x: NDArray[np.floating], in_samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return (∂s/∂x)ᵀ of a vector `[n]`."""
        if self.sigmoid:
            s = self.of(x)
            in_samples = in_samples * s * (1 - s)
        return np.asarray(self.basis.T @ in_samples, dtype=np.float64)

    def nearest(self, s: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return an x whose weights resemble s `[n]`.

        Each entry is the mean of its samples' weights, by their shares in B; with the sigmoid the logit of that
        mean, which is first brought into [0.001, 0.999].
        """
        x = np.asarray(self.basis.T @ np.asarray(s, dtype=np.float64)) / self.counts
        return special.logit(np.clip(x, 1e-3, 1 - 1e-3)) if self.sigmoid else x


def _rank(column: NDArray[np.floating]) -> NDArray[np.float64]:
    """Ranks from 0 to 1; equal values share one."""
    _, place = np.unique(column, return_inverse=True)
    return np.asarray(place / place.max())
