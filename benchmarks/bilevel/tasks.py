"""The tasks: what the upper variables mean, the set they live in, and the referee of all rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bilevel.data import load
from bilevel.softmax import Softmax, Steps, cross_entropy, probabilities
from cutplane import Box, Polytope

Array = np.ndarray
PENALTY, BIAS = 1e-3, 1e-4
"""Penalty of the coefficients where x holds weights, and of the constant always."""


@dataclass(frozen=True, eq=False)
class Task:
    """A bi-level task: x is a weight for each group of samples, or the logarithms of penalties.

    Attributes
    ----------
    parts : dict of (features [n, p], labels [n])
        "train", "val", "test"; the last feature is a constant.
    groups : ndarray of int, shape (n,), or None
        Which entry of x weighs a training sample; None where x holds log-penalties.
    by_class : bool
        Log-penalties x_f + x_{p+c} for feature f and class c, else x_f.
    cost, budget : ndarray of shape (n_x,), float; or None
        cost · x ≤ budget.
    good : ndarray of bool, shape (n_x,), or None
        Which groups deserve weight, where that is known.
    steps : int or None
        The lower level is this many plain gradient steps from zero, in place of the exact solution.
    """

    name: str
    parts: dict[str, tuple[Array, Array]]
    classes: int
    bounds: tuple[float, float]
    start: Array
    groups: Array | None = None
    by_class: bool = False
    cost: Array | None = None
    budget: float | None = None
    good: Array | None = None
    steps: int | None = None

    @property
    def x_set(self) -> Box | Polytope:
        """The set of x as cutplane has it."""
        if self.cost is None:
            return Box(*self.bounds)
        return Polytope(A_ub=self.cost[None], b_ub=[self.budget], lower=self.bounds[0], upper=self.bounds[1])

    def violation(self, x: Array) -> float:
        """Largest amount by which x misses a bound or the budget."""
        worst = max(self.bounds[0] - x.min(), x.max() - self.bounds[1], 0.0)
        return worst if self.cost is None else max(worst, float(self.cost @ x - self.budget))

    def lower_data(self, x: Array) -> tuple[Array, Array]:
        """Weights of the samples [n] and penalties of the coefficients [p, C] at x."""
        features, labels = self.parts["train"]
        p = features.shape[1]
        r = np.full((p, self.classes), PENALTY)
        if self.groups is not None:
            s = x[self.groups]
        else:
            s = np.ones(labels.size)
            r[: p - 1] = np.exp(x[: p - 1, None] + (x[None, p - 1 :] if self.by_class else 0.0))
        r[p - 1] = BIAS
        return s, r

    def chain(self, by_sample: Array, by_penalty: Array, r: Array) -> Array:
        """Gradient in x from those in the samples' weights and in the penalties."""
        if self.groups is not None:
            return np.bincount(self.groups, by_sample, self.start.size)
        log = (by_penalty * r)[:-1]
        return np.concatenate([log.sum(axis=1), log.sum(axis=0)]) if self.by_class else log.sum(axis=1)

    @property
    def step_length(self) -> float:
        """1/L of the lower objective at full weights: the step of everyone's gradient descent."""
        features = self.parts["train"][0]
        r = np.exp(self.bounds[1]) if self.groups is None else PENALTY
        return 1.0 / (0.5 * np.linalg.eigvalsh(features.T @ features / len(features))[-1] + min(r, 1.0))

    def level(self) -> Softmax:
        """A new solver of the lower level."""
        train = (*self.parts["train"], self.classes)
        return Softmax(*train) if self.steps is None else Steps(*train, self.steps, self.step_length)

    def upper(self, theta: Array) -> tuple[float, Array]:
        """Validation loss and its gradient [p, C]."""
        features, labels = self.parts["val"]
        scores = features @ theta
        gradient = probabilities(scores)
        gradient[np.arange(labels.size), labels] -= 1
        return float(cross_entropy(scores, labels).mean()), features.T @ gradient / labels.size


class Referee:
    """One judge for all rows: solves the lower level at the returned x to 1e-10, whoever returned it."""

    def __init__(self, task: Task) -> None:
        self.task, self.level = task, task.level()
        self.level.tolerance = 1e-10

    def value(self, x: Array) -> float:
        """Upper objective F(x, y*(x))."""
        return self.task.upper(self.level.solve(*self.task.lower_data(x)))[0]

    def report(self, x: Array) -> dict[str, Any]:
        """Upper objective, constraint violation, accuracy of the model retrained at x, F1 of the bad groups."""
        task = self.task
        value = self.value(x)
        features, labels = task.parts["test"]
        accuracy = float(np.mean(np.argmax(features @ self.level.theta, axis=1) == labels))
        f1 = None
        if task.good is not None:
            said_bad, bad = x < 0.5, ~task.good
            f1 = float(2 * np.sum(said_bad & bad) / max(np.sum(said_bad) + np.sum(bad), 1))
        return {"upper": value, "violation": task.violation(x), "accuracy": accuracy, "f1": f1}


def _split(name: str, train: int, val: int, test: int, seed: int) -> tuple[dict[str, tuple[Array, Array]], int]:
    features, labels = load(name)
    features = np.hstack([features, np.ones((labels.size, 1))])
    order = np.random.default_rng([seed, 1]).permutation(labels.size)
    ends = np.cumsum([train, val, test])
    if ends[-1] > labels.size:
        raise ValueError(f"{name} has {labels.size} samples, {ends[-1]} were asked for")
    cut = np.split(order[: ends[-1]], ends[:-1])
    parts = {key: (features[i], labels[i]) for key, i in zip(("train", "val", "test"), cut, strict=True)}
    return parts, int(labels.max()) + 1


def _sizes(name: str) -> tuple[int, int, int]:
    return {"digits": (900, 400, 400), "optdigits": (3620, 1000, 1000)}.get(name, (5000, 5000, 5000))


def cleaning(
    name: str, data: str = "optdigits", groups: int | None = 250, share: float | None = None, costs: bool = False,
    graded: bool = False, steps: int | None = None, seed: int = 0,
) -> Task:  # fmt: skip
    """Groups of samples, half of which have all their labels moved to the next class; or graded from 0 to 90 %.

    `share` is the budget as a part of what the good groups cost together; None leaves the box alone. Without
    `groups` each sample has a weight of its own.
    """
    rng = np.random.default_rng([seed, 2])
    parts, classes = _split(data, *_sizes(data), seed)
    features, labels = parts["train"]
    count = labels.size if groups is None else groups
    member = rng.permutation(np.arange(labels.size) % count)
    noise = rng.permutation(np.linspace(0, 0.9, count) if graded else np.arange(count) % 2)
    wrong = rng.random(labels.size) < noise[member]
    parts["train"] = features, np.where(wrong, (labels + 1) % classes, labels)
    good = noise < 0.5
    if share is None:
        return Task(name, parts, classes, (0.0, 1.0), np.full(count, 0.5), member, good=good, steps=steps)
    cost = np.exp(rng.uniform(np.log(0.5), np.log(2.0), count)) if costs else np.ones(count)
    budget = float(share * cost[good].sum())
    start = np.full(count, min(1.0, budget / cost.sum()))
    return Task(
        name, parts, classes, (0.0, 1.0), start, member, cost=cost, budget=budget, good=good, steps=steps
    )  # fmt: skip


def penalties(name: str, data: str, train: int, by_class: bool = False, seed: int = 0) -> Task:
    """A log-penalty for each feature, or for each feature plus one for each class, between −10 and 0."""
    parts, classes = _split(
        data, train, 400 if data == "digits" else 1000, 400 if data == "digits" else 1000, seed
    )
    size = parts["train"][0].shape[1] - 1
    start = np.concatenate([np.full(size, -5.0), np.zeros(classes if by_class else 0)])
    bounds = (-10.0, 0.0)
    if by_class:  # the sum counts: half of the range each
        bounds, start = (-5.0, 0.0), np.full(size + classes, -2.5)
    return Task(name, parts, classes, bounds, start, by_class=by_class)


TASKS: dict[str, Any] = {
    "vertex": partial(cleaning, share=1.0, steps=100),
    "box": cleaning,
    "budget 0.2": partial(cleaning, share=0.2),
    "budget 0.5": partial(cleaning, share=0.5),
    "budget 0.9": partial(cleaning, share=0.9),
    "budget 1.2": partial(cleaning, share=1.2),
    "costs": partial(cleaning, share=0.5, costs=True),
    "graded": partial(cleaning, share=1.0, graded=True),
    "spambase": partial(penalties, data="spambase", train=500),
    "magic": partial(penalties, data="magic", train=300),
    "classes": partial(penalties, data="optdigits", train=500, by_class=True),
    "mnist": partial(cleaning, data="mnist", groups=None, share=1.0),
    "fashion": partial(cleaning, data="fashion", groups=None, share=1.0),
    "digits": partial(cleaning, data="digits", groups=60, share=0.5),
    "digits penalties": partial(penalties, data="digits", train=300),
}
"""Every task by name; the last two are the short form's, on scikit-learn's digits."""


def make(name: str, seed: int = 0) -> Task:
    """Return the task of this name."""
    task: Task = TASKS[name](name, seed=seed)
    return task
