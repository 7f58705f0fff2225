"""The table's rows: what runs in each, with which settings; and the run of one row in a process of its own."""

from __future__ import annotations

import importlib
import json
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bilevel import own
from bilevel.descent import descend
from bilevel.oracle import Trace
from bilevel.tasks import Task, make

RATES = (0.1, 0.3)
"""Adam's rates that are tried in x (0.03 was never the better one); in λ of the sigmoid, three times that."""
METHODS = ("linear", "level", "proximal", "primal-dual")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    run : callable
        ``run(task, trace, **setting) -> (x, notes)``.
    settings : tuple of dict
        All are run; the one that is first within 1 % of the best is shown.
    peer : str
        Module of `bilevel.peers` that has the engine; empty for a row of our own.
    as_in : str
        Row whose best setting is taken over, since both make the same gradients.
    """

    run: Callable[..., Any]
    settings: tuple[dict[str, Any], ...] = ({},)
    peer: str = ""
    as_in: str = ""


def _engine(task: Task, trace: Trace, peer: str, name: str, rate: float, steps: int, momentum: float) -> Any:
    """Adam on the hypergradients of a peer."""
    if task.steps is not None:
        steps, momentum = task.steps, 0.0
    sigmoid = task.groups is not None and task.cost is None
    make_engine = importlib.import_module(f"bilevel.peers.{peer}").ENGINES[name]
    hypergradient = make_engine(task, steps, task.step_length, momentum)
    hypergradient(task.start)  # compiling is not counted; with a lower variable that is kept, neither are K steps
    trace.start()
    return descend(task, hypergradient, 3 * rate if sigmoid else rate, sigmoid, trace), {}


def _peer(name: str, module: str, steps: tuple[int, ...], momentum: float = 0.9, as_in: str = "") -> Row:
    settings = tuple({"steps": k, "rate": rate, "momentum": momentum} for k in steps for rate in RATES)
    return Row(partial(_engine, peer=module, name=name), settings, module, as_in)


ROWS: dict[str, Row] = {
    "equal": Row(own.equal),
    "truth": Row(own.truth),
    "one LP": Row(own.one_programme),
    "projected Adam": Row(own.adam, tuple({"rate": rate} for rate in RATES)),
    "SciPy": Row(own.scipy_method),
    "higher unrolled": _peer("higher unrolled", "higher_", (10, 50)),
    "TorchOpt unrolled": _peer("TorchOpt unrolled", "torchopt_", (10, 50), as_in="higher unrolled"),
    "TorchOpt implicit": _peer("TorchOpt implicit", "torchopt_", (50,)),
    "JAXopt unrolled": _peer("JAXopt unrolled", "jaxopt_", (10, 50), as_in="higher unrolled"),
    "JAXopt implicit": _peer("JAXopt implicit", "jaxopt_", (50,)),
    "BOAT unrolled": _peer("BOAT unrolled", "boat_", (10, 50), as_in="higher unrolled"),
    "BOAT CG": _peer("BOAT CG", "boat_", (50,)),
    "BOAT VFO": _peer("BOAT VFO", "boat_", (10,), momentum=0.0),
    "BOAT MESO": _peer("BOAT MESO", "boat_", (1,), momentum=0.0),
    **{f"cutplane {m}": Row(partial(own.by_cutplane, method=m)) for m in METHODS},
    **{
        f"cutplane {m}, joint": Row(partial(own.by_cutplane, method=m, formulation="joint", epsilon=1e-3))
        for m in METHODS
    },
}


def run_row(
    task_name: str, row_name: str, settings: list[dict[str, Any]], budget: tuple[int, float], out: Path
) -> None:
    """Run a row with each setting and write points, seconds and notes; what is missing is written as such."""
    row = ROWS[row_name]
    try:
        if row.peer:
            module = importlib.import_module(f"bilevel.peers.{row.peer}")
            versions = {package: version(package) for package in module.PACKAGES}
        else:
            versions = {"cutplane": version("cutplane")} if row_name.startswith("cutplane") else {}
    except ImportError as error:
        _write(out, {"left_out": f"{error.name or error} is not installed"}, {})
        return
    if "torch" in versions:
        import torch

        torch.set_num_threads(1)
    task = make(task_name)
    if row_name == "truth" and task.good is None:
        _write(out, {"left_out": "nobody knows which penalties are right"}, {})
        return
    before = _peak()
    notes: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    if row_name.startswith("cutplane"):  # compiled code is loaded from its cache before the clock starts
        row.run(task, Trace(3, 1.0))
    for k, setting in enumerate(settings):
        trace = Trace(*budget)
        x, note = row.run(task, trace, **setting)
        arrays |= {
            f"x{k}": np.asarray(x, dtype=float), f"points{k}": np.array(trace.points),
            f"seconds{k}": np.array(trace.seconds),
        }  # fmt: skip
        notes.append({"setting": setting, **note})
    _write(out, {"notes": notes, "versions": versions, "mib": (_peak() - before) / 1024}, arrays)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _write(out: Path, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    temporary = out.with_suffix(".part.npz")
    np.savez(temporary, facts=np.array(json.dumps(facts)), **arrays)
    os.replace(temporary, out)
