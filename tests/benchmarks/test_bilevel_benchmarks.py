"""The scripts that compare cutplane with peers judge rightly: derivatives, referee, first within 1 %."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

pytest.importorskip("sklearn")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TASKS = ("digits", "digits penalties")


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scripts find each other as they do when they are run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [
        n for n in sys.modules if n.split(".")[0] in ("bilevel", "side_by_side", "hypercleaning", "growth")
    ]:
        del sys.modules[name]


def load(name: str) -> Any:
    return importlib.import_module(name)


@pytest.mark.parametrize("name", TASKS)
def test_the_hypergradient_is_the_derivative_of_the_referees_value(name: str) -> None:
    tasks, oracle = load("bilevel.tasks"), load("bilevel.oracle")
    task = tasks.make(name)
    gradient = oracle.Oracle(task).hypergradient(task.start)[1]
    way = np.random.default_rng(0).standard_normal(task.start.size)
    referee, h = tasks.Referee(task), 1e-4
    slope = (referee.value(task.start + h * way) - referee.value(task.start - h * way)) / (2 * h)
    assert gradient @ way == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_the_lower_level_is_solved_to_the_same_point_as_by_scipy() -> None:
    tasks = load("bilevel.tasks")
    task = tasks.make("digits")
    level, (s, r) = task.level(), task.lower_data(task.start)

    def both(theta: np.ndarray) -> tuple[float, np.ndarray]:
        theta = theta.reshape(r.shape)
        return level.value(theta, s, r), level.gradient(theta, s, r)[0].ravel()

    found = optimize.minimize(both, np.zeros(r.size), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    value = level.value(level.solve(s, r), s, r)
    assert value <= found.fun + 1e-12
    assert value == pytest.approx(found.fun, rel=1e-4)


def test_gradient_steps_are_differentiated_back_to_their_start() -> None:
    softmax, tasks, oracle = load("bilevel.softmax"), load("bilevel.tasks"), load("bilevel.oracle")
    task = tasks.cleaning("steps", data="digits", groups=10, share=0.5, steps=7)
    asked = oracle.Oracle(task)
    assert isinstance(asked.level, softmax.Steps)
    _, gradient = asked.hypergradient(task.start)
    h = 1e-5
    ahead = [asked.hypergradient(task.start + sign * h * np.eye(10)[3])[0] for sign in (1, -1)]
    assert gradient[3] == pytest.approx((ahead[0] - ahead[1]) / (2 * h), rel=1e-5)


def test_linear_masters_keep_the_budget_and_beat_one_linearisation() -> None:
    tasks, own, oracle = load("bilevel.tasks"), load("bilevel.own"), load("bilevel.oracle")
    task = tasks.make("digits")
    referee = tasks.Referee(task)
    first, _ = own.one_programme(task, oracle.Trace(5, 60.0))
    trace = oracle.Trace(12, 60.0)
    x, _ = own.by_cutplane(task, trace, "linear")
    assert len(trace.points) <= 13
    assert referee.report(x)["violation"] <= 1e-9
    assert referee.value(x) < referee.value(first) - 1e-3


def test_first_within_one_percent_is_found_between_the_points_looked_at() -> None:
    script = load("hypercleaning")

    class Fixed:
        """A referee that reads the value off the point."""

        class task:
            @staticmethod
            def violation(x: np.ndarray) -> float:
                return 0.0

        @staticmethod
        def value(x: np.ndarray) -> float:
            return float(x[0])

    values = 1.0 + 1.0 / np.arange(1, 91)
    held = {"x0": values[-1:], "points0": values[:, None], "seconds0": np.arange(90.0)}
    run = script.Judged(Fixed(), held, 0)
    assert run.look() == pytest.approx(values[-1])
    assert len(run.values) < 20
    assert run.first(1.025) == 40
    assert run.first(1.0) is None


def test_what_is_not_installed_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows, script = load("bilevel.rows"), load("hypercleaning")
    monkeypatch.setitem(sys.modules, "higher", None)
    sys.modules.pop("bilevel.peers.higher_", None)
    rows.run_row("digits", "higher unrolled", [{}], (2, 1.0), tmp_path / "row.npz")
    with np.load(tmp_path / "row.npz", allow_pickle=False) as held:
        assert "higher" in script.json.loads(str(held["facts"]))["left_out"]


def test_growth_solves_and_reports_what_it_held() -> None:
    growth = load("growth")
    row = growth.solve("proximal", 50, 6, 8)
    assert row["iterations"] <= 8
    assert 1 <= row["held"] <= 7
    assert growth.exponent([1e4, 1e5, 1e6], [1.0, 10.0, 100.0], 1e4) == pytest.approx(1.0)
