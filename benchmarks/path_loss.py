"""Path loss of 3GPP TR 38.901 beside two independent packages, over a grid of heights, frequencies and distances.

tr3gpp carries Table 7.4.1-1 as text: its LaTeX formulas are translated here and evaluated. CRRM computes path loss
itself. Neither is a dependency of the project: `pip install tr3gpp crrm` to run this.

    python benchmarks/path_loss.py --out path_loss
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simmst.simulator.radio.links import ENVIRONMENTS, HEIGHT_BS, Environment, path_loss

Array = NDArray[np.float64]
Model = Callable[[Environment, bool, float, float, Array], Array]

FREQUENCIES = (0.7, 0.8, 1.8, 2.1, 2.6, 3.5, 6.0)
HEIGHTS = (1.5, 3.0, 5.0, 10.0)  # of the terminal, in metres: the range that all three environments share
SPEED_OF_LIGHT = 3.0e8  # as in the table's notes 1 and 5
TARGET_DB = 1e-6
FUNCTIONS = {"log10": np.log10, "min": np.minimum}


def distances(environment: Environment, sight: bool, frequency: float, height: float) -> Array:
    """Ground distances in metres over the table's whole range, and both sides of the break point."""
    far = 10_000.0 if environment == "RMa" and sight else 5_000.0
    bend = break_point(environment, frequency, height)
    near_bend = bend * np.array([1 - 1e-6, 1 - 1e-3, 1 + 1e-3, 1 + 1e-6])
    grid = np.concatenate([np.geomspace(10.0, far, 2000), near_bend])
    return np.sort(grid[(grid >= 10.0) & (grid <= far)])


def break_point(environment: Environment, frequency: float, height: float) -> float:
    """Break point distance in metres: note 1 (UMa, UMi; environment height 1 m) and note 5 (RMa)."""
    site = HEIGHT_BS[environment]
    if environment == "RMa":
        return 2 * np.pi * site * height * frequency * 1e9 / SPEED_OF_LIGHT
    return 4 * (site - 1) * (height - 1) * frequency * 1e9 / SPEED_OF_LIGHT


def from_tr3gpp(environment: Environment, sight: bool, frequency: float, height: float, ground: Array) -> Array:
    """Evaluate the table's formulas as tr3gpp gives them."""
    from tr3gpp import tr38901

    table = tr38901.section("7.4")
    scenario = "UMi-StreetCanyon" if environment == "UMi" else environment
    bend = break_point(environment, frequency, height)
    names = {
        "d_3D": np.hypot(ground, HEIGHT_BS[environment] - height),
        "d_BP": bend,
        "f_c": frequency,
        "h": 5.0,
        "W": 20.0,
        "h_BS": HEIGHT_BS[environment],
        "h_UT": height,
    }
    parts = _formulas(table.pathloss(scenario=scenario, condition="LOS").formula)
    near = _evaluate(parts["PL_1"], names)
    far = _evaluate(parts["PL_2"], names | {"at_break": _evaluate(parts["PL_1"], names | {"d_3D": bend})})
    seen = np.where(ground <= bend, near, far)
    if sight:
        return seen
    blocked = _formulas(table.pathloss(scenario=scenario, condition="NLOS").formula)
    return np.maximum(seen, _evaluate(next(text for name, text in blocked.items() if "'" in name), names))


def _formulas(latex: str) -> dict[str, str]:
    """Split "A = ...; B = ..." into its parts, each as Python."""
    parts = dict(part.split(" = ", 1) for part in re.split(r";\s*\\quad\s*", latex))
    return {name.strip(): _python(text) for name, text in parts.items() if "cases" not in text}


def _python(latex: str) -> str:
    text = latex.replace("PL_1(d_{BP})", "at_break").replace("d'_{BP}", "d_{BP}")
    text = text.replace(r"\log_{10}", "log10").replace("\\", "")
    text = re.sub(r"_\{(\w+)\}", r"_\1", text)
    text = re.sub(r"\^\{?([\d.]+)\}?", r"**\1", text)
    found: list[str] = re.findall(r"\d+(?:\.\d+)?|[A-Za-z]\w*|\*\*|\S", text)
    written = found[:1]
    for before, token in pairwise(found):
        # What stands side by side is multiplied: "20log10(", "11.75 h_UT", "3.7(", ")(".
        ends = before not in FUNCTIONS and (before[-1].isalnum() or before == ")")
        if ends and (token[0].isalnum() or token == "("):
            written.append("*")
        written.append(token)
    return "".join(written)


def _evaluate(text: str, names: dict[str, object]) -> Array:
    return np.asarray(eval(text, {**FUNCTIONS, "pi": np.pi, "__builtins__": {}}, names), dtype=np.float64)


def from_crrm(environment: Environment, sight: bool, frequency: float, height: float, ground: Array) -> Array:
    """Path loss of CRRM for terminals in a row from the site."""
    from CRRM.RMa_pathloss_model_08 import RMa_pathloss
    from CRRM.UMa_pathloss_model_06 import UMa_pathloss
    from CRRM.UMi_pathloss_model_00 import UMi_pathloss

    model = {"UMa": UMa_pathloss, "UMi": UMi_pathloss, "RMa": RMa_pathloss}[environment]
    site = np.array([[0.0, 0.0, HEIGHT_BS[environment]]])
    terminals = np.stack([ground, np.zeros_like(ground), np.full_like(ground, height)], axis=1)
    slant = np.hypot(ground, HEIGHT_BS[environment] - height)[:, None]
    loss = model(fc_GHz=frequency, LOS=sight).get_pathloss_dB(ground[:, None], slant, terminals, site)
    return np.asarray(loss)[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for path_loss.json")
    options = parser.parse_args()
    try:
        versions = {name: version(name) for name in ("numpy", "tr3gpp", "crrm")}
    except PackageNotFoundError as error:
        raise SystemExit(f"{error.name} is not installed: pip install tr3gpp crrm") from None
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print("versions:", ", ".join(f"{name} {number}" for name, number in versions.items()))
    print(f"machine: {platform.machine()}, Python {platform.python_version()}")
    rows = []
    for package, model in (("tr3gpp", from_tr3gpp), ("CRRM", from_crrm)):
        for environment in ENVIRONMENTS:
            for sight in (True, False):
                rows.append(_compare(package, model, environment, sight))
    worst = max(row["largest_db"] for row in rows)
    verdict = "within" if worst <= TARGET_DB else "NOT within"
    print(f"largest difference {worst:.1e} dB: {verdict} {TARGET_DB:g} dB")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        content = {"versions": versions, "target_db": TARGET_DB, "rows": rows}
        (options.out / "path_loss.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    raise SystemExit(worst > TARGET_DB)


def _compare(package: str, model: Model, environment: Environment, sight: bool) -> dict[str, object]:
    largest, links, at = 0.0, 0, (0.0, 0.0, 0.0)
    for frequency in FREQUENCIES:
        for height in HEIGHTS:
            ground = distances(environment, sight, frequency, height)
            ours = path_loss(environment, ground, frequency, sight, height_ut=height)
            apart = np.abs(ours - model(environment, sight, frequency, height, ground))
            links += len(ground)
            if apart.max() > largest:
                largest, at = float(apart.max()), (frequency, height, float(ground[apart.argmax()]))
    condition = "LOS" if sight else "NLOS"
    where = f" ({at[0]} GHz, terminal {at[1]} m, distance {at[2]:.1f} m)" if largest else ""
    print(f"{package:7} {environment} {condition:4} {links} links: {largest:.1e} dB{where}")
    return {
        "package": package, "environment": environment, "condition": condition, "links": links,
        "largest_db": largest, "at_ghz_m_m": at,
    }  # fmt: skip


if __name__ == "__main__":
    main()
