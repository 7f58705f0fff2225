#!/usr/bin/env bash
# Library    clarabel 0.11.1, called by cvxpy 1.9.3 with default settings
# Input      min (y - 1)^2 over 1 <= y <= 1e17: a strictly convex problem in one variable with the answer y = 1
# Guess      "optimal" means feasible to the tolerance (1e-8, relative); where a bound of 1e17 is too large for the
#            scaling, the status says so ("inaccurate", a failure)
# Behaviour  status "optimal", y = 7e-14 and the value 1: the row y >= 1 is missed by 1
# Why it surprises
#            The upper bound is slack and takes no part in the answer. The residual of all rows together is
#            measured against the largest number in the right sides, so a violation of 1 counts as 1e-17 beside the
#            other row's 1e17. A bound of 1e16 ends in an exception, one of 1e20 is dropped and solved rightly.
# Output seen
#            bound 1e+03: optimal y=1.000051 value=2.6e-09
#            bound 1e+17: optimal y=0.000000 value=1
#            bound 1e+20: optimal y=1.000036 value=1.3e-09
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    cvxpy==1.9.3 clarabel==0.11.1 numpy==2.4.6 scipy==1.17.1 osqp==1.1.3 scs==3.3.1 highspy==1.15.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cvxpy as cp

found = {}
for bound in (1e3, 1e17, 1e20):
    y = cp.Variable()
    problem = cp.Problem(cp.Minimize(cp.square(y - 1)), [y >= 1, y <= bound])
    problem.solve(solver="CLARABEL")
    found[bound] = problem.status, float(y.value)
    print(f"bound {bound:.0e}: {problem.status} y={float(y.value):.6f} value={problem.value:.2g}")
for bound in (1e3, 1e20):
    assert found[bound][0] == "optimal" and abs(found[bound][1] - 1) < 1e-3, "the small and the dropped bound"
if not (found[1e17][0] == "optimal" and found[1e17][1] < 0.5):
    sys.exit("changed: the bound of 1e17 no longer gives an infeasible y as optimal")
PYTHON
