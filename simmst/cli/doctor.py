"""The command line's `simmst doctor`: what is installed, what is missing and how to get it, device, folders.

It runs where the extra is missing too, so it imports nothing of it before it knows that it is there.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from cutplane._install import install_command

#: What each extra is for; the packages come from the distribution's own metadata.
_USES = {
    "": "cutplane",
    "simmst": "simmst: data, simulator, networks, command line",
    "ray": "`simmst table` and `simmst sweep` on a cluster (--ray)",
    "rt": "ray-traced path gains (also LLVM 17 or later)",
    "reference": "lower levels as CVXPY problems",
    "plot": "pictures and progress bars of cutplane",
    "bench": "benchmarks",
    "docs": "the documentation as a site (make docs)",
    "test": "tests",
}
_REQUIREMENT = re.compile(r"""([\w.-]+)(?:\[[^]]*\])?([^;]*)(?:;.*extra == ["'](\w+)["'])?""")


@dataclass(frozen=True, slots=True)
class Part:
    """An extra (or "" for the base): what it is for, and its packages with what is wrong with them."""

    extra: str
    found: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def remedy(self) -> str:
        """The command that installs what is missing, from any folder."""
        return install_command(self.extra)


def parts() -> list[Part]:
    """Hold every package that the distribution names against what is installed."""
    try:
        from packaging.specifiers import SpecifierSet
    except ModuleNotFoundError:  # itself of the extra: then no version is judged
        SpecifierSet = None  # type: ignore[assignment,misc]
    lists: dict[str, tuple[list[str], list[str]]] = {}
    for line in requires("cutplane") or []:
        match = _REQUIREMENT.match(line)
        assert match is not None  # of our own metadata
        name, wanted, extra = match[1], match[2].strip(" ()"), match[3] or ""
        found, missing = lists.setdefault(extra, ([], []))
        try:
            here = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        if SpecifierSet is None or SpecifierSet(wanted).contains(here, prereleases=True):
            found.append(f"{name} {here}")
        else:
            missing.append(f"{name} {here} (needs {wanted})")
    return [Part(extra, tuple(found), tuple(missing)) for extra, (found, missing) in lists.items()]


def facts() -> Iterator[tuple[str, str]]:
    """Name what a report of a problem should hold: versions, device, threads, folders."""
    yield "cutplane", version("cutplane")
    yield "Python", f"{platform.python_version()} on {platform.platform()}"
    yield "cores", str(os.cpu_count())
    try:
        import torch
    except ModuleNotFoundError:
        yield "device", "unknown, torch is missing"
    else:
        from simmst.training.device import resolve_device

        device = resolve_device("auto")
        card = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
        yield "device", f"{device}{card}, what `device='auto'` means; simmst run and table use the CPU"
    from cutplane import _compiled

    kernel = next(value for value in vars(_compiled).values() if hasattr(value, "stats"))
    folder = Path(kernel.stats.cache_path)
    place = folder if folder.is_dir() else folder.parent
    note = "" if os.access(place, os.W_OK) else "; not writable, each process compiles anew: set NUMBA_CACHE_DIR"
    yield "compiled kernels", f"{folder}{note}"
    yield "$SIMMST_DATA", os.environ.get("SIMMST_DATA") or "not set: `simmst run` forecasts a synthetic city"


def doctor() -> None:
    """Say what is installed, what is missing and how to get it; exit code 1 if simmst itself lacks something."""
    for name, text in facts():
        print(f"{name:17} {text}")
    found = parts()
    try:
        _print_table(found)
    except ModuleNotFoundError:  # rich, which is of the extra
        for part in found:
            print(f"{part.extra or '(base)'}: {', '.join(part.found) or 'nothing'} installed")
            print(f"    missing: {', '.join(part.missing) or 'nothing'}")
    for part in found:
        if part.missing:
            print(f"{part.extra or 'base'}: {part.remedy}")
    if any(part.missing for part in found if part.extra in ("", "simmst")):
        raise SystemExit(1)


def _print_table(found: list[Part]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table("extra", Column("for", overflow="fold"))
    for header, lists in (("installed", [part.found for part in found]), ("missing", [p.missing for p in found])):
        words = " ".join(text for names in lists for text in names).split()  # none is broken, if at all possible
        table.add_column(header, overflow="fold", min_width=max([len(header), *map(len, words)]))
    for part in found:
        table.add_row(
            part.extra or "(base)", _USES.get(part.extra, ""), ", ".join(part.found), ", ".join(part.missing)
        )
    Console().print(table, highlight=False)


def mount(app: Any) -> None:
    """Put the command on a command line."""
    app.command()(doctor)
