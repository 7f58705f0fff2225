"""A callback sees every iteration, shows or writes it, and may stop the run."""

import json

import numpy as np
import pytest

from cutplane import BilevelProblem, BilevelSolver, Box, SolutionMap, Status
from cutplane.callbacks import JsonLines, ProgressBar
from cutplane.errors import CutplaneError
from cutplane.history import History
from cutplane.plot import plot_history


@pytest.fixture
def problem():
    return BilevelProblem(
        upper=lambda x, y: (float((y - 2) @ (y - 2)) / 2, 0 * x, y - 2),
        lower=SolutionMap(lambda x: x, lambda x, v: v),
        x_set=Box(0, 1),
        convex=True,
    )


def test_the_log_holds_one_readable_object_an_iteration(problem, tmp_path):
    path = tmp_path / "run.jsonl"
    with JsonLines(path) as log:
        result = BilevelSolver(method="level").solve(problem, [0.5], [0.0], callback=log)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["iteration"] for row in rows] == list(range(1, result.nit + 1))
    assert rows[-1]["best"] == pytest.approx(0.5, abs=1e-4)


def test_the_log_of_a_resumed_run_goes_on_in_the_same_file(problem, tmp_path):
    path = tmp_path / "run.jsonl"
    with JsonLines(path) as log:
        first = BilevelSolver(max_iterations=5).solve(problem, [0.5], [0.0], callback=log)
    with JsonLines(path) as log:
        BilevelSolver(max_iterations=8).solve(problem, state=first.state, callback=log)
    assert [json.loads(line)["iteration"] for line in path.read_text().splitlines()] == list(range(1, 9))


def test_non_finite_numbers_are_null_in_the_log(problem, tmp_path):
    path = tmp_path / "run.jsonl"
    with JsonLines(path) as log:
        BilevelSolver(max_iterations=1).solve(problem, [0.5], [0.0], callback=log)
    assert json.loads(path.read_text())["lower_gap"] is None


def test_the_progress_bar_shows_the_last_iteration(problem, capsys):
    with ProgressBar(30) as bar:
        BilevelSolver(max_iterations=30).solve(problem, [0.5], [0.0], callback=bar)
    assert "30/30" in capsys.readouterr().out


def test_several_callbacks_all_see_the_record_that_stops_the_run(problem):
    seen = []
    result = BilevelSolver().solve(
        problem, [0.5], [0.0], callback=[lambda r: r.iteration == 3, lambda r: seen.append(r.iteration)]
    )
    assert result.status is Status.CALLBACK and not result.success
    assert seen == [1, 2, 3]


def test_the_picture_has_a_panel_each_for_value_gap_and_planes(problem, tmp_path):
    result = BilevelSolver().solve(problem, [0.5], [0.0])
    figure = plot_history(result.history, epsilon=1e-10)
    assert [axes.get_ylabel() for axes in figure.axes] == ["upper objective", "gap, distance", "planes"]
    drawn = figure.axes[2].lines[0].get_ydata()
    assert np.array_equal(drawn, result.history.to_dict()["planes"])
    figure.savefig(tmp_path / "run.png")


def test_an_empty_history_is_refused():
    with pytest.raises(CutplaneError, match="empty"):
        plot_history(History())
