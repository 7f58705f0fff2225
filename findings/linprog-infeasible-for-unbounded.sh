#!/usr/bin/env bash
# scipy 1.17.1 (numpy 2.4.6): linprog says "infeasible" of a linear programme that has feasible points.
#
# Guess: status 3 (unbounded), or status 4 where presolve cannot tell the two apart.
# What it does: status 2, "The problem is infeasible", for
#     min x1 + 2 x2 − 2 x3   s.t.   2 x1 − 2 x2 + x3 ≤ 1,   −x1 + x2 − x3 ≤ 2,   x1 ≤ 1,  x2 ≤ 2,  0 ≤ x3 ≤ 2.
# (1, 0.5, 0) meets every row and bound, and (−1, −1, 0) is a direction in which the cost falls by 3 a step while no
# row moves: the programme is unbounded. With the option presolve=False the answer is status 3, and with the cost
# set to zero status 0.
# Why it surprises: six whole numbers of size 2 at most, no tolerance is near, and the documentation has a status of
# its own for either case. Who asks "is this set empty?" with a cost in place is told yes.
# Seen: with cost 2 | without presolve 3 | without cost 0 | feasible True, cost falls True
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
from scipy.optimize import linprog

cost, A, b = np.array([1.0, 2.0, -2.0]), np.array([[2.0, -2.0, 1.0], [-1.0, 1.0, -1.0]]), np.array([1.0, 2.0])
bounds = [(None, 1), (None, 2), (0, 2)]
point, way = np.array([1.0, 0.5, 0.0]), np.array([-1.0, -1.0, 0.0])
feasible = bool(np.all(A @ point <= b)) and point[0] <= 1 and point[1] <= 2 and 0 <= point[2] <= 2
falls = bool(np.all(A @ way == 0)) and cost @ way < 0
plain = linprog(cost, A, b, bounds=bounds).status
without_presolve = linprog(cost, A, b, bounds=bounds, options={"presolve": False}).status
without_cost = linprog(0 * cost, A, b, bounds=bounds).status
print(f"with cost {plain} | without presolve {without_presolve} | without cost {without_cost} | "
      f"feasible {feasible}, cost falls {falls}")
assert (plain, without_presolve, without_cost, feasible, falls) == (2, 3, 0, True, True), "the behaviour has changed"
PYTHON
