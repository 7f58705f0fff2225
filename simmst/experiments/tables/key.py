"""What a cell's result depends on, as one hash: settings, data, and the meaning of the code."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import cutplane
import simmst
from simmst.errors import ConfigError
from simmst.models.card import ModelCard
from simmst.models.recipes import Preset
from simmst.models.registry import CLOSED_FORM, REGISTRY
from simmst.traffic.dataset import TrafficData

_ROOTS = {"simmst": Path(simmst.__file__).parent, "cutplane": Path(cutplane.__file__).parent}
_TABLES, _MODELS = "simmst.experiments.tables", "simmst.models"
#: Modules that results import, and why none depends on their code.
SET_ASIDE: Mapping[str, str] = {
    "simmst.errors": "what a refusal says",
    "simmst.io.atomic": "how a file is written",
    "simmst.io.npz": "how a file is read; traffic is hashed by value",
    "simmst.evaluation.target": "what it holds is hashed by value",
    "simmst.experiments.rundir": "where results are kept",
    "simmst.experiments.target": "what it loads or makes is hashed by value",
    "simmst.models.recipes": "the recipe of a cell is hashed by value",
    "simmst.models.registry": "the card of a cell is hashed by value",
    "simmst.training.interrupt": "when training stops to go on later",
    "simmst.training.progress": "what is shown meanwhile",
}
#: What a card says for a reader, not for the result; its name is the cell's.
_WORDS = frozenset({"name", "label", "adaptation"})
#: Packages that compute, by the name that is imported.
_NUMERICAL = ("highspy", "numba", "numpy", "scipy", "torch")


def digest(content: Mapping[str, Any]) -> str:
    """Hash JSON-able content, the same for the same content in any order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def data_digest(data: TrafficData) -> str:
    """Hash traffic by value, wherever it comes from: a file of another name, or a synthetic city."""
    found = hashlib.sha256(np.ascontiguousarray(data.values).data)
    if data.coordinates is not None:
        found.update(np.ascontiguousarray(data.coordinates).data)
    found.update(np.packbits(data.filled).data)
    if data.missing is not None:
        found.update(np.packbits(data.missing).data)
    names = [str(data.start), data.step_minutes, data.services, data.node_ids, data.units, data.values.shape]
    found.update(json.dumps(names).encode())
    return found.hexdigest()


@cache
def sources(model: str) -> frozenset[str]:
    """Modules that decide what a model gives on real windows."""
    if model in CLOSED_FORM:
        return closure("simmst.evaluation.cell", "simmst.evaluation.closed_form")
    # Training knows Sim-MSTNet, and the scales know simulated windows: other rows go through neither.
    models = {f"{_MODELS}.{path.stem}" for path in (_ROOTS["simmst"] / "models").glob("*.py")}
    shared = {f"{_MODELS}.{name}" for name in ("card", "recipes", "registry")}
    without = frozenset(models - shared | {"simmst.simulator", f"{_TABLES}.simulated"})
    own, _ = _maker(REGISTRY[model])
    return closure("simmst.evaluation.cell", f"{_TABLES}.training", without=without) | closure(own)


def card_by_value(card: ModelCard, preset: Preset) -> dict[str, Any]:
    """Return what a card says that decides a result: the recipe of the preset, and all but its words."""
    rest = {one.name: getattr(card, one.name) for one in fields(card) if one.name not in _WORDS | {"recipes"}}
    recipe = card.recipes[preset]  # its lookback is the benchmark's
    return {**rest, "make": _maker(card)[1], "sizes": dict(recipe.sizes), "training": dict(recipe.training)}


def _maker(card: ModelCard) -> tuple[str, str]:
    """Module and name of what makes a card's network, whose code the key must hold."""
    module, name = getattr(card.make, "__module__", ""), getattr(card.make, "__qualname__", "")
    if not name.isidentifier() or module.partition(".")[0] not in _ROOTS or not closure(module):
        raise ConfigError(
            f"{card.label}: its card's `make` must be a class or function of a module of simmst.models "
            f"(and of none that holds cards or recipes), got {module}.{name or type(card.make).__name__}"
        )
    return module, name


def simulation_sources() -> frozenset[str]:
    """Modules that decide simulated windows and their weights."""
    return closure(f"{_TABLES}.simulated")


@cache
def closure(*roots: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    """Modules of both packages that some modules import, at any depth and anywhere in their code.

    Parameters
    ----------
    *roots
        Modules by their dotted names; they count too.
    without : frozenset of str
        Modules, and packages with all in them, that are neither counted nor followed; nor are those `SET_ASIDE`.
    """
    found: set[str] = set()
    left = list(roots)
    while left:
        module = left.pop()
        parents = {module, *(module[:i] for i, sign in enumerate(module) if sign == ".")}
        if module not in found and not parents & (without | SET_ASIDE.keys()):
            found.add(module)
            left += _imports(module)[0]
    return frozenset(found)


@cache
def code_version(modules: frozenset[str]) -> str:
    """Hash what modules mean: comments, layout and docstrings do not count, nor where a module stands."""
    found = hashlib.sha256()
    for meaning in sorted({_meaning(_text(module)) for module in modules}):
        found.update(meaning.encode())
    return found.hexdigest()


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Versions of the packages that compute in these modules."""
    used = set().union(*(_imports(module)[1] for module in modules))
    return {name: version(name).partition("+")[0] for name in _NUMERICAL if name in used}


@cache
def _imports(module: str) -> tuple[frozenset[str], frozenset[str]]:
    """Modules of both packages, packages around them included, and other packages that a module imports.

    Without `simmst` itself: it names what users import, of all rooms, and computes nothing.
    """
    names = list(_imported(ast.parse(_text(module)), module))
    ours = {name for name in names if name.partition(".")[0] in _ROOTS}
    inner = {".".join(parts[: i + 1]) for parts in (name.split(".") for name in ours) for i in range(len(parts))}
    others = frozenset(name.partition(".")[0] for name in names) - _ROOTS.keys()
    return frozenset(name for name in inner - {"simmst"} if _path(name) is not None), others


def _imported(tree: ast.Module, module: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:  # neither package imports so
                raise NotImplementedError(f"{module}: a relative import")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # a module, or a name in one


def _path(module: str) -> Path | None:
    package, *rest = module.split(".")
    path = _ROOTS[package].joinpath(*rest)
    return next((one for one in (path / "__init__.py", path.with_suffix(".py")) if one.is_file()), None)


def _text(module: str) -> str:
    path = _path(module)
    assert path is not None, module
    return path.read_text(encoding="utf-8")


@cache
def _meaning(text: str) -> str:
    """Hash what a source means; of imports from both packages the names count, and not where they come from."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _ROOTS:
            node.module = ""
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [part for part in node.body if not _is_text(part)]
    tree.body = [*sorted(_imports_of(tree), key=ast.dump), *(part for part in tree.body if not _is_import(part))]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_import(part: ast.stmt) -> bool:
    return isinstance(part, (ast.Import, ast.ImportFrom))


def _imports_of(tree: ast.Module) -> list[ast.stmt]:
    """Imports at the top, a name each, so that a move changes neither their order nor their number."""
    return [
        ast.ImportFrom(part.module, [alias], part.level)
        if isinstance(part, ast.ImportFrom)
        else ast.Import([alias])
        for part in tree.body
        if isinstance(part, (ast.Import, ast.ImportFrom))
        for alias in part.names
    ]


def _is_text(part: ast.stmt) -> bool:
    value = part.value if isinstance(part, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
