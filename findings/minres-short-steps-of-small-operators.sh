#!/usr/bin/env bash
# Library    scipy.sparse.linalg.minres of scipy 1.17.1
# Input      a x = b in one variable: a = 4e-17, b = 4e-17, with the answer 1; and the same times 1e16
# Guess      The iterations know no unit: a linear system and its multiple have the same answer, by the same
#            iterations, as long as no number under- or overflows
# Behaviour  x = 0.032 for the small one, with info = 0 ("converged"); 1 for its multiple
# Why it surprises
#            A diagonal entry of the factorisation is raised to the machine's epsilon, 2.2e-16, as an absolute number.
#            An operator smaller than that is taken for a larger one, and the tolerance rtol = 1e-12 is not met.
# Output seen
#            a = 4e-17: x = 0.032452, info 0
#            a = 4e-01: x = 1.000000, info 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 scipy==1.17.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from scipy.sparse.linalg import minres

found = {}
for a in (4e-17, 4e-1):
    x, info = minres(np.array([[a]]), np.array([a]), rtol=1e-12)
    found[a] = x[0], info
    print(f"a = {a:.0e}: x = {x[0]:.6f}, info {info}")
assert abs(found[4e-1][0] - 1) < 1e-9 and found[4e-1][1] == 0, "the operator of usual size"
if not (found[4e-17][0] < 0.5 and found[4e-17][1] == 0):
    sys.exit("changed: the small operator's system is solved, or said not to be")
PYTHON
