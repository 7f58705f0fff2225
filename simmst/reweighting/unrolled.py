"""The K-step oracle: K gradient steps on weighted samples as a lower level, for any torch model and loss."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cutplane import SolutionMap
from simmst.errors import ConfigError
from simmst.nn.draws import frozen_draws
from simmst.reweighting.flat import FlatModel
from simmst.reweighting.weights import SampleWeights

Array = NDArray[np.floating]

#: Which samples: an int64 tensor, or a slice where they follow each other; either indexes tensors, and a slice
#: copies nothing.
Index = Tensor | slice
#: ``losses(predict, index) -> [b]``: the loss of each of the samples `index`, where ``predict(*inputs)`` calls
#: the model at the parameters in question.
SampleLosses = Callable[[Callable[..., Tensor], Index], Tensor]


@dataclass(frozen=True, slots=True)
class UnrollConfig:
    """How the lower level is unrolled.

    Parameters
    ----------
    steps : int
        K.
    learning_rate : float
        η of the plain gradient steps.
    batch_size : int or None
        Samples in a step, drawn once and frozen; None takes all of them in every step.
    chunk_size : int or None
        Samples evaluated at once; a step adds its chunks up, so this bounds memory and changes nothing else
        but the draws of random layers.
    memory : {"recompute", "store", "truncate"}
        "recompute" keeps K + 1 parameter vectors and rebuilds each step's graph on the way back; "store"
        keeps the whole graph; "truncate" goes back through the last `last_steps` steps only, which gives an
        approximate gradient.
    last_steps : int or None
        For "truncate".
    kept_graphs : int
        Last steps whose graph is kept all the same, which spares their second evaluation; not with "store",
        and only where a step is one chunk. 0 saves the memory of one step's graph.
    normalise : bool
        Divide each step's loss by the sum of its weights instead of their number. Without it a common factor
        of the weights is a factor of η.
    seed : int
        Of the frozen batches, and of dropout and ProbSparse draws, which are the same whenever step k is
        evaluated.
    """

    steps: int = 1
    learning_rate: float = 0.1
    batch_size: int | None = None
    chunk_size: int | None = None
    memory: Literal["recompute", "store", "truncate"] = "recompute"
    last_steps: int | None = None
    kept_graphs: int = 1
    normalise: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "chunk_size", "last_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be at least 1, got {value}")
        if self.kept_graphs < 0:
            raise ConfigError(f"kept_graphs must be at least 0, got {self.kept_graphs}")
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be positive, got {self.learning_rate}")
        if self.memory not in ("recompute", "store", "truncate"):
            raise ConfigError(f"memory must be 'recompute', 'store' or 'truncate', got {self.memory!r}")
        if (self.memory == "truncate") != (self.last_steps is not None):
            raise ConfigError("last_steps belongs to memory='truncate': give both or neither")


class UnrolledOracle(SolutionMap):
    """φ^K(x) and the gap h(x, φ) = ‖φ − φ^K(x)‖², with exact gradients (equations (2), (3), (6), (7)).

    φ^{k+1} = φ^k − η ∇_φ g(x, φ^k), g = (1/n) Σ_j s_j(x) L_j(φ), from a fixed anchor φ^0. Everything random is
    frozen, so h is one function of (x, φ): the cuts of a cutting-plane solver are valid for one function only.
    `restart` changes it, and raises `version` to say so.

    It is a `cutplane.SolutionMap` with the squared norm: `gap(x, y)` for the joint formulation, `solution(x)`
    = φ^K(x) and `vjp(x, v)` = (∂φ^K/∂x)ᵀ v for the reduced one.

    Parameters
    ----------
    model : Module
        Copied; the copy's mode (training or evaluation) is the mode of the steps.
    losses : callable
        ``losses(predict, index) -> [b]``, the loss of each sample; ``tensor[index]`` are its inputs.
    weights : SampleWeights
        How x becomes one weight a sample.
    config : UnrollConfig

    Examples
    --------
    >>> import numpy as np, torch
    >>> inputs, targets = torch.ones(4, 1), torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    >>> oracle = UnrolledOracle(
    ...     torch.nn.Linear(1, 1, bias=False).requires_grad_(True),
    ...     lambda predict, i: (predict(inputs[i]) - targets[i]).square().mean(1),
    ...     SampleWeights.per_sample(4),
    ...     UnrollConfig(steps=50, learning_rate=0.5, normalise=True),
    ... )
    >>> oracle.solution(np.array([0.0, 0.0, 1.0, 1.0])).round(3)  # only the ones count
    array([1.])
    """

    def __init__(
        self, model: nn.Module, losses: SampleLosses, weights: SampleWeights, config: UnrollConfig
    ) -> None:
        self.config, self.weights = config, weights
        self._flat, self._losses = FlatModel(model), losses
        self._anchor = self._flat.start
        self._weights = weights.torch_map(self._anchor)
        self._batches = frozen_batches(weights.samples, config.batch_size, config.steps, config.seed)
        self._cache: _Trajectory | None = None
        super().__init__(self._forward, self._vjp, norm="squared")

    @property
    def anchor(self) -> Array:
        """The fixed start φ^0, `[p]`."""
        return _numpy(self._anchor)

    def restart(self, anchor: Array) -> None:
        """Move the anchor. h becomes another function, and every cut made before is void: `version` rises."""
        moved = self._tensor(anchor, "anchor", self._flat.size)
        self._anchor, self._cache = moved, None
        self.version += 1

    def _forward(self, x: Array) -> Array:
        """φ^K(x), `[p]`, in the dtype of x."""
        return _numpy(self._unroll(np.asarray(x)).end).astype(np.asarray(x).dtype)

    def _vjp(self, x: Array, v: Array) -> Array:
        """(∂φ^K/∂x)ᵀ v, the shape of x."""
        trajectory = self._unroll(x)
        gradient = self._pull_back(trajectory, self._tensor(v, "v", self._flat.size))
        return _numpy(gradient).astype(np.asarray(x).dtype)

    def _unroll(self, x: Array) -> "_Trajectory":
        """Run the K steps, or return the last run if it was at the same x."""
        if self._cache is not None and np.array_equal(self._cache.x, x):
            return self._cache
        self._cache = None  # two trajectories are never held at once
        upper = self._tensor(x, "x", self.weights.size).requires_grad_()
        weights = self._weights(upper)
        store = self.config.memory == "store"
        s = weights if store else weights.detach()
        points, graphs = [self._anchor], dict[int, list[_Graph]]()
        point = self._anchor.clone().requires_grad_() if store else self._anchor
        first_kept = self.config.steps if store or self._chunked else self.config.steps - self.config.kept_graphs
        for k in range(self.config.steps):
            if k >= first_kept:
                graphs[k] = list(self._graphs(point, s, k))
                slope = graphs[k][0].slope.detach()
            else:
                slope = self._gradient(point, s, k, graph=store)
            point = point - self.config.learning_rate * slope
            if not store:
                points.append(point)
        if store:
            points = [point]
        self._cache = _Trajectory(x.copy(), upper, weights, points, graphs)
        return self._cache

    @property
    def _chunked(self) -> bool:
        config = self.config
        return config.chunk_size is not None and config.chunk_size < (config.batch_size or self.weights.samples)

    def _gradient(self, point: Tensor, s: Tensor, k: int, graph: bool) -> Tensor:
        """∇_φ g of step k, `[p]`; with `graph`, differentiable in φ and s."""
        if not point.requires_grad:
            point = point.detach().requires_grad_()
        coefficients = self._coefficients(s, k)
        total = torch.zeros_like(point)
        for part, (index, places) in enumerate(self._chunks(k)):
            loss = self._chunk_loss(point, coefficients[places], index, k, part)
            total = total + torch.autograd.grad(loss, point, create_graph=graph)[0]
        return total

    def _pull_back(self, trajectory: "_Trajectory", v: Tensor) -> Tensor:
        """(∂φ^K/∂x)ᵀ v by one pass back over the steps (section "gradient" of the documentation)."""
        if self.config.memory == "store":
            return torch.autograd.grad(trajectory.end, trajectory.upper, v, retain_graph=True)[0]
        alpha, gradient = v, torch.zeros_like(trajectory.weights)
        steps = self.config.steps
        stop = 0 if self.config.last_steps is None else max(0, steps - self.config.last_steps)
        s = trajectory.weights.detach().requires_grad_()
        for k in range(steps - 1, stop - 1, -1):
            graphs = trajectory.graphs.get(k) or self._graphs(trajectory.points[k], s, k)
            in_weights, in_point = self._second_order(graphs, s, k, alpha, curved=k > stop)
            gradient = gradient - self.config.learning_rate * in_weights
            if in_point is not None:
                alpha = alpha - self.config.learning_rate * in_point
        return torch.autograd.grad(trajectory.weights, trajectory.upper, gradient, retain_graph=True)[0]

    def _graphs(self, point: Tensor, s: Tensor, k: int) -> "Iterator[_Graph]":
        """∇_φ g of step k with its graph, chunk by chunk."""
        leaf = self._coefficients(s, k).detach().requires_grad_()
        for part, (index, places) in enumerate(self._chunks(k)):
            at = point.detach().requires_grad_()
            loss = self._chunk_loss(at, leaf[places], index, k, part)
            yield _Graph(leaf, at, torch.autograd.grad(loss, at, create_graph=True)[0])

    def _second_order(
        self, graphs: "Iterable[_Graph]", s: Tensor, k: int, alpha: Tensor, curved: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Return ∂⟨∇_φ g, α⟩/∂s, n numbers, and with `curved` ∇²_φφ g · α, of step k: reverse over reverse.

        The first step needs no Hessian, since its start is fixed; leaving it out halves the work there.
        """
        coefficients, in_point = self._coefficients(s, k), torch.zeros_like(alpha)
        in_leaf = torch.zeros_like(coefficients)
        for graph in graphs:
            # A loss that is linear in the parameters leaves no second-order path to `at`.
            ends = (graph.leaf, graph.at) if curved else (graph.leaf,)
            parts = torch.autograd.grad(graph.slope, ends, alpha, allow_unused=True, retain_graph=True)
            in_leaf = in_leaf if parts[0] is None else in_leaf + parts[0]
            if curved and parts[1] is not None:
                in_point = in_point + parts[1]
        return torch.autograd.grad(coefficients, s, in_leaf)[0], in_point if curved else None

    def _coefficients(self, s: Tensor, k: int) -> Tensor:
        """Factors of the sample losses of step k, in the order of its batch."""
        batch = self._batches[k]
        chosen = s if batch is None else s[batch.to(s.device)]
        return chosen / (chosen.sum() if self.config.normalise else len(chosen))

    def _chunks(self, k: int) -> Iterator[tuple[Index, slice]]:
        """Sample numbers of step k in chunks, and their places in the batch."""
        batch = self._batches[k]
        count = self.weights.samples if batch is None else len(batch)
        size = self.config.chunk_size or count
        for first in range(0, count, size):
            last = min(first + size, count)
            places = slice(first, last)
            yield places if batch is None else batch[places], places

    def _chunk_loss(self, point: Tensor, coefficients: Tensor, index: Index, k: int, part: int) -> Tensor:
        with frozen_draws(point.device, self.config.seed, k, part):
            losses = self._losses(self._flat.at(point), index)
        if losses.shape != coefficients.shape:
            raise ConfigError(
                f"losses must return one loss a sample, shape {tuple(coefficients.shape)}, "
                f"got {tuple(losses.shape)}"
            )
        return (coefficients * losses).sum()

    def _tensor(self, values: Array, name: str, size: int) -> Tensor:
        array = np.asarray(values)
        if array.shape != (size,):
            raise ConfigError(f"{name} must have shape ({size},), got {array.shape}")
        return torch.from_numpy(array.copy()).to(self._flat.start)


@dataclass(frozen=True, slots=True)
class _Graph:
    """∇_φ g of a chunk, `slope`, as a function of the coefficients `leaf` and the parameters `at`."""

    leaf: Tensor
    at: Tensor
    slope: Tensor


@dataclass
class _Trajectory:
    """The steps at one x: the weights as a function of x, and φ^0 .. φ^K (or φ^K with its graph)."""

    x: Array
    upper: Tensor
    weights: Tensor
    points: list[Tensor]
    graphs: "dict[int, list[_Graph]]"

    @property
    def end(self) -> Tensor:
        return self.points[-1]


def frozen_batches(samples: int, size: int | None, steps: int, seed: int) -> list[Tensor | None]:
    """Sample numbers of each step: None for all, or batches cut from successive permutations."""
    if size is None or size >= samples:
        return [None] * steps
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(samples) for _ in range(-(-size * steps // samples))])
    return [torch.from_numpy(order[k * size : (k + 1) * size]) for k in range(steps)]


def _numpy(tensor: Tensor) -> Array:
    return np.asarray(tensor.detach().cpu())
