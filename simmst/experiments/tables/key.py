"""What a cell's result depends on, as one hash: settings, data, and the meaning of the code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cutplane
import simmst

_ROOTS = {"simmst": Path(simmst.__file__).parent, "cutplane": Path(cutplane.__file__).parent}
#: Sources under every cell, and those under the cells that use simulated windows.
TRAINING: tuple[str, ...] = (
    "simmst/data/dataset.py", "simmst/data/windows.py", "simmst/data/graph_windows.py", "simmst/data/graphs.py",
    "simmst/nn", "simmst/training/config.py", "simmst/training/losses.py", "simmst/training/trainer.py",
    "simmst/experiments/protocol.py", "simmst/experiments/forecast.py", "simmst/experiments/tables/benchmark.py",
    "simmst/experiments/tables/budget.py", "simmst/experiments/tables/cell.py",
    "simmst/experiments/tables/closed_form.py", "simmst/experiments/tables/measures.py",
    "simmst/experiments/tables/raw_scale.py", "simmst/experiments/tables/training.py",
    "simmst/experiments/gaps.py",
)  # fmt: skip
SIMULATION: tuple[str, ...] = (
    "simmst/simulator", "simmst/sim2real", "simmst/experiments/weighting.py", "simmst/experiments/config.py",
    "simmst/experiments/tables/simulated.py", "cutplane",
)  # fmt: skip


def digest(content: Mapping[str, Any]) -> str:
    """Hash JSON-able content, the same for the same content in any order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@cache
def code_version(sources: tuple[str, ...]) -> str:
    """
    Hash what Python sources mean: comments, layout and docstrings do not count.

    Parameters
    ----------
    sources
        Files, or folders with all Python files under them, as ``package/path``.
    """
    found = hashlib.sha256()
    for source in sorted(sources):
        package, _, rest = source.partition("/")
        path = _ROOTS[package] / rest
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            found.update(str(file.relative_to(_ROOTS[package].parent)).encode())
            found.update(_meaning(file.read_text(encoding="utf-8")).encode())
    return found.hexdigest()


def _meaning(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [part for part in node.body if not _is_text(part)]
    return ast.dump(tree)


def _is_text(part: ast.stmt) -> bool:
    value = part.value if isinstance(part, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
