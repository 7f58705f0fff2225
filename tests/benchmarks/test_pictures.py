"""Each benchmark draws one picture from its rows, and says so where matplotlib is missing."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = ("picture", "side_by_side", "planes", "wide_lp", "nonsmooth", "growth", "throughput", "hypercleaning")


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts find each other as they do when they are run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [n for n in sys.modules if n.split(".")[0] in (*SCRIPTS, "bilevel")]:
        del sys.modules[name]


def planes_row(planes: int, n: int, dtype: str) -> dict[str, Any]:
    return {"planes": planes, "n": n, "dtype": dtype, "ratio": 1.5, "of_read": 0.7}


def nonsmooth_row(function: str, row: str, evaluations: int) -> dict[str, Any]:
    return {"function": function, "row": row, "evaluations": evaluations, "seconds": 0.1}


def growth_row(method: str, against: str, size: int) -> dict[str, Any]:
    sizes = {"n": size, "L": 8} if against == "n" else {"n": 3000, "L": size}
    return sizes | {"method": method, "against": against, "seconds": 0.1, "mib": 1.0, "iterations": 10}


ROWS: dict[str, tuple[Any, ...]] = {
    "planes": ([planes_row(k, n, t) for k in (8, 64) for n in (10, 100) for t in ("float64", "float32")],),
    "wide_lp": (
        [
            {"kind": "random", "n": 100, "rows": 8, "seconds": {"wide": 0.1, "highs": 1.0}},
            {"kind": "parallel", "n": 10**6, "rows": 64, "seconds": {"wide": 0.1}},
        ],
    ),
    "nonsmooth": ([nonsmooth_row("Shor", "level", 9), nonsmooth_row("MAXQUAD", "Kelley on highspy", 2000)],),
    "growth": (
        [growth_row(m, a, size) for m in ("linear", "primal-dual") for a in "nL" for size in (8, 16)],
        {m: [1.0, 0.9, 0.1] for m in ("linear", "level", "proximal", "primal-dual")},
    ),
    "throughput": ({"Informer": {"ours": 2.0, "theirs": 1.0, "ratio": 2.0}, "iTransformer": {"ours": 2.0}},),
    "hypercleaning": ({"box": [{"row": "SciPy", "path": [[1, 0.1, 2.0], [2, 0.2, 1.0]]}, {"row": "equal"}]},),
}


@pytest.mark.parametrize("script", ROWS)
def test_each_script_draws_its_rows(script: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    if script == "hypercleaning":
        pytest.importorskip("sklearn")
    if script == "nonsmooth":
        pytest.importorskip("clarabel")
    picture, module = importlib.import_module("picture"), importlib.import_module(script)
    picture.draw(tmp_path, script, (5, 4), lambda figure: module.paint(figure, *ROWS[script]))
    assert (tmp_path / f"{script}.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_folder_nothing_is_drawn() -> None:
    picture = importlib.import_module("picture")
    picture.draw(None, "planes", (1, 1), lambda figure: pytest.fail("drawn all the same"))


def test_without_matplotlib_the_picture_is_left_out_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    picture = importlib.import_module("picture")
    picture.draw(tmp_path, "planes", (1, 1), lambda figure: pytest.fail("drawn all the same"))
    assert "planes.png is left out" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
