"""The tree is as ARCHITECTURE.md says: rooms, arrows, lengths, and paths that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCES = sorted((ROOT / "simmst").rglob("*.py"))
SOLVER = sorted((ROOT / "cutplane").rglob("*.py"))
# Lowest first, as the page prints them.
ORDER, OF_SOLVER = (re.findall(r"\w+", text) for text in re.findall(r"```text\n(errors .*?)```", TEXT, re.DOTALL))


def imported(path: Path) -> set[str]:
    """Rooms of simmst that a file imports, anywhere in it and for type checkers too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("simmst."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "simmst":
            found |= {alias.name for alias in node.names}
    return found


def test_the_page_names_every_room_and_no_other():
    rooms = {path.name for path in (ROOT / "simmst").iterdir() if (path / "__init__.py").is_file()}
    assert set(ORDER) == rooms | {"errors"} and len(ORDER) == len(set(ORDER))
    of_solver = {path.name for path in (ROOT / "cutplane").iterdir() if (path / "__init__.py").is_file()}
    assert of_solver <= set(OF_SOLVER) and all((ROOT / "cutplane" / f"{name}.py").is_file() or name in of_solver
                                               for name in OF_SOLVER)  # fmt: skip
    assert set(re.findall(r"^  (\w+)/", TEXT, re.MULTILINE)) == rooms | of_solver


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_arrow_goes_up_and_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350
    room = path.relative_to(ROOT / "simmst").parts[0].removesuffix(".py")
    if room in ORDER:  # all but the face and the entry
        above = set(ORDER[ORDER.index(room) + 1 :])
        assert not imported(path) & above


@pytest.mark.parametrize("path", SOLVER, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_of_the_solver_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def modules(sources: list[Path]) -> dict[str, set[str]]:
    """Modules of a package, and those that each imports."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in sources
    }
    graph = {}
    for name, path in names.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        graph[name] = found & names.keys() - {name}
    return graph


@pytest.mark.parametrize("sources", [SOURCES, SOLVER], ids=["simmst", "cutplane"])
def test_no_import_is_a_circle(sources):
    left = modules(sources)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"circle among {sorted(left)}"


def test_paths_and_walks_are_what_the_page_says():
    for path in re.findall(r"`([\w/]+\.py)`", TEXT):
        assert (ROOT / path).is_file() or (ROOT / "simmst" / path).is_file(), path
    for title, most in (("A weight,", 20), ("A value of", 15)):
        part = TEXT[TEXT.index(f"## {title}") :]
        part = part.split("\n## ")[0]
        assert 10 <= len(set(re.findall(r"`([\w/]+\.py)`", part))) <= most, title
