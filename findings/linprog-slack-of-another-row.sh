#!/usr/bin/env bash
# scipy 1.17.1 (numpy 2.4.6): linprog reports success and a positive slack for a row that its point misses by 99.
#
# Guess: x = 1e10, the only vertex at which the row is at work; or, if the small entry is
# lost on the way, a status other than 0, or at least a negative slack, since slack is documented as b_ub − A_ub x.
# What it does: min −x s.t. 1e-10 x ≤ 1, 0 ≤ x ≤ 1e12 gives status 0, x = 1e12 and slack [1.], where b − A x = −99.
# Entries of 1e-9 and less leave the model inside HiGHS, and slack comes from the row that is left of it (nothing).
# Why it surprises: every number is within the range of doubles by far, the row is the only one, and the field that
# one would look at for a check agrees with the wrong answer. Multiplying the row by 1e10 gives the right one.
# Seen: status 0, x = 1e+12, slack reported 1, b - A x = -99 | the row times 1e10: x = 1e+10
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 scipy==1.17.1
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
from scipy.optimize import linprog

A, b = np.array([[1e-10]]), np.array([1.0])
found = linprog([-1.0], A, b, bounds=[(0, 1e12)])
scaled = linprog([-1.0], 1e10 * A, 1e10 * b, bounds=[(0, 1e12)])
missed = float((b - A @ found.x)[0])
print(f"status {found.status}, x = {found.x[0]:g}, slack reported {found.slack[0]:g}, b - A x = {missed:g} | "
      f"the row times 1e10: x = {scaled.x[0]:g}")
assert found.status == 0 and found.x[0] == 1e12 and found.slack[0] == 1.0, "the behaviour has changed"
assert abs(missed + 99) < 1e-6 and abs(scaled.x[0] - 1e10) < 1, "the behaviour has changed"
PYTHON
