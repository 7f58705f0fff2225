#!/usr/bin/env bash
# Library    cvxpy 1.9.3
# Input      .grad of norm(y, 1), norm(y, 2), norm(y, "inf"), max(y) and cummax(y) at y = (1, -3, 2)
# Guess      every convex atom that has a value has a subgradient, and .grad is None where CVXPY has none
#            ("Returns: A map of variable to SciPy CSC sparse matrix or None", says its docstring)
# Behaviour  norm(y, "inf").grad raises NotImplementedError without a message, and cummax(y).grad a ValueError of
#            numpy's broadcasting; the other norms, and max(abs(y)), the same function, answer
# Why it surprises
#            The three norms are one call with another argument, and an oracle that asks .grad works for two of
#            them; neither exception is the documented None, and neither names the atom.
# Output seen
#            norm 1: [1.0, -1.0, 1.0]
#            norm 2: [0.267, -0.802, 0.535]
#            max of abs: [0.0, -1.0, 0.0]
#            norm inf: NotImplementedError ''
#            cummax: ValueError 'could not broadcast input array from shape (2,) into shape (2,1)'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    cvxpy==1.9.3 clarabel==0.11.1 numpy==2.4.6 scipy==1.17.1 osqp==1.1.3 scs==3.3.1 highspy==1.15.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cvxpy as cp
import numpy as np

y = cp.Variable(3)
y.value = np.array([1.0, -3.0, 2.0])
atoms = {
    "norm 1": cp.norm(y, 1), "norm 2": cp.norm(y, 2), "max of abs": cp.max(cp.abs(y)),
    "norm inf": cp.norm(y, "inf"), "cummax": cp.sum(cp.cummax(y)),
}
raised = {}
for name, atom in atoms.items():
    assert atom.is_convex() and np.isfinite(atom.value)
    try:
        slope = atom.grad[y].toarray().ravel()
        print(f"{name}: {(slope.round(3) + 0.0).tolist()}")
    except Exception as error:
        raised[name] = type(error)
        print(f"{name}: {type(error).__name__} {str(error)!r}")
if raised != {"norm inf": NotImplementedError, "cummax": ValueError}:
    sys.exit("changed: other atoms raise, or none does")
PYTHON
