#!/usr/bin/env bash
# Library    statsforecast 2.0.2 (Theta, OptimizedTheta, DynamicOptimizedTheta, AutoTheta)
# Input      400 hours of a daily wave with noise, season_length=24, in three units: of ones, of 1e-3 and of 1e-6
# Guess      The theta method is linear in the series: another unit gives the same forecast in that unit, to rounding
# Behaviour  In units of 1e-6 all four models give forecasts that differ by up to 4.9 %, without a word; at 1e-3 to
#            1e6 they agree to 0.1 %
# Why it surprises
#            The same traffic in TB and in MB gets two forecasts. The method has no constant with a unit in it, and the
#            seasonal factors are ratios; where the difference comes from was not looked for. Series that are shares
#            of a large total are on the wrong side of it.
# Output seen
#            Theta: 1e-03 0.000  1e-06 0.049
#            DynamicOptimizedTheta: 1e-03 0.001  1e-06 0.049
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    statsforecast==2.0.2 numpy==2.4.6 scipy==1.15.3 pandas==2.3.3 numba==0.68.1
OMP_NUM_THREADS=1 "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from statsforecast.models import DynamicOptimizedTheta, Theta

hours = np.arange(400)
series = 10 + 5 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(0).normal(0, 1, 400)
for model in (Theta, DynamicOptimizedTheta):
    usual = model(season_length=24).forecast(y=series, h=24)["mean"]
    found = {}
    for unit in (1e-3, 1e-6):
        made = model(season_length=24).forecast(y=series * unit, h=24)["mean"] / unit
        found[unit] = float(np.abs(made / usual - 1).max())
    print(f"{model.__name__}: " + "  ".join(f"{unit:.0e} {error:.3f}" for unit, error in found.items()))
    assert found[1e-3] < 0.005, "the middle unit agrees"
    if found[1e-6] < 0.02:
        sys.exit("changed: forecasts no longer depend on the unit")
PYTHON
