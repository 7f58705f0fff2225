#!/usr/bin/env bash
# highspy 1.15.1 beside cvxpy 1.9.3 (numpy 2.4.6, scipy 1.17.1): a number of threads is refused, by Python thread.
#
# Guess: `threads` is an option of one Highs object, and each run takes its own number.
# Second guess, after the first surprise: then what is fixed, is fixed for the process.
# What it does: once cvxpy has solved with HiGHS and threads=2, a new Highs object with threads=1 gets kError from
# run(), the model status kNotset, and a solution of the right length full of zeros; threads=0 is always taken. In a
# new Python thread of the same process threads=3 runs well, and from then on 1 is refused there: each Python thread
# has its own first run that fixes the number.
# Why it surprises: the option is set with kOk, the zeros look like a solution, and whether an unrelated package was
# used before, and in which Python thread, decides between the optimum and zeros.
# Seen: main thread: threads=1 kError kNotset [0.0, 0.0], threads=0 kOk [1.0, 2.0]
#       new thread: threads=3 kOk [1.0, 2.0], threads=1 kError [0.0, 0.0]
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 cvxpy==1.9.3 highspy==1.15.1
"$place/venv/bin/python" - <<'PYTHON'
import threading

import cvxpy as cp
import highspy
import numpy as np

v = cp.Variable()
cp.Problem(cp.Minimize(v), [v >= 1]).solve(solver=cp.HIGHS, threads=2)


def solve(threads):
    """Minimise −x − y over 0 ≤ x ≤ 1 and 0 ≤ y ≤ 2: (1, 2)."""
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    assert h.setOptionValue("threads", threads) == highspy.HighsStatus.kOk
    h.addVars(2, np.zeros(2), np.array([1.0, 2.0]))
    h.changeColCost(0, -1.0)
    h.changeColCost(1, -1.0)
    status = h.run()
    return status.name, h.getModelStatus().name, list(h.getSolution().col_value)


main = solve(1), solve(0)
elsewhere = []
thread = threading.Thread(target=lambda: elsewhere.extend([solve(3), solve(1)]))
thread.start()
thread.join()
print(f"main thread: threads=1 {main[0][0]} {main[0][1]} {main[0][2]}, threads=0 {main[1][0]} {main[1][2]}")
print(f"new thread: threads=3 {elsewhere[0][0]} {elsewhere[0][2]}, threads=1 {elsewhere[1][0]} {elsewhere[1][2]}")
refused, fine = ("kError", "kNotset", [0.0, 0.0]), ("kOk", "kOptimal", [1.0, 2.0])
assert main == (refused, fine) and elsewhere == [fine, refused], "the behaviour has changed"
PYTHON
