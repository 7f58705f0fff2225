"""Ray tracing with sionna-rt, as a program of its own: a wrong libLLVM aborts the process that it is loaded into.

    python _sionna_program.py --probe          print the version, after one ray has been traced
    python _sionna_program.py JOB.json OUT.npz trace a city of boxes

It imports nothing of simmst, so that it depends on sionna-rt and NumPy alone. JOB holds `frequency_ghz`,
`square_m`, `row` (squares in a row), `sites` [[east, north, height], ...] and `boxes` [[east, north, width, depth,
height, turn], ...] in metres and degrees, and `rays` for each site. OUT holds `gain` [row * row, sites]: mean path
gain over each square at 1.5 m, linear, 0 where no ray came.
"""

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE = """<shape type="cube" id="{name}"><transform name="to_world"><scale x="{x}" y="{y}" z="{z}"/>
<rotate z="1" angle="{turn}"/><translate x="{east}" y="{north}" z="{up}"/></transform>
<ref id="{material}" name="bsdf"/></shape>"""
MATERIAL = """<bsdf type="itu-radio-material" id="{name}"><string name="type" value="{kind}"/>
<float name="thickness" value="0.3"/></bsdf>"""


def scene_of(job: dict[str, Any]) -> str:
    """Mitsuba's XML of boxes on flat ground."""
    reach = job["row"] * job["square_m"]
    parts = [
        MATERIAL.format(name="walls", kind="concrete"),
        MATERIAL.format(name="ground", kind="medium_dry_ground"),
    ]
    flat = {"x": reach, "y": reach, "z": 0.5, "turn": 0, "east": 0, "north": 0, "up": -0.5}
    parts.append(SHAPE.format(name="plane", material="ground", **flat))
    for number, (east, north, width, depth, height, turn) in enumerate(job["boxes"]):
        half = {"x": width / 2, "y": depth / 2, "z": height / 2, "up": height / 2}
        place = {"east": east, "north": north, "turn": turn}
        parts.append(SHAPE.format(name=f"box{number}", material="walls", **half, **place))
    return f'<scene version="2.1.0">{"".join(parts)}</scene>'


def trace(job: dict[str, Any]) -> NDArray[np.float64]:
    """Mean path gain of each square from each site, linear [squares, sites]."""
    import sionna.rt as rt  # type: ignore[import-not-found]

    scene = rt.load_scene_from_string(scene_of(job))
    scene.frequency = 1e9 * job["frequency_ghz"]
    scene.tx_array = rt.PlanarArray(num_rows=1, num_cols=1, pattern="iso", polarization="V")
    scene.rx_array = scene.tx_array
    for number, place in enumerate(job["sites"]):
        scene.add(rt.Transmitter(name=f"site{number}", position=place))
    side = job["row"] * job["square_m"]
    radio_map = rt.RadioMapSolver()(
        scene,
        center=[0.0, 0.0, 1.5],
        orientation=[0.0, 0.0, 0.0],
        size=[side, side],
        cell_size=[job["square_m"], job["square_m"]],
        samples_per_tx=job["rays"],
        max_depth=5,
        diffraction=True,
        seed=1,
    )
    gain = np.asarray(radio_map.path_gain, dtype=np.float64)  # [sites, north, east]
    return gain.reshape(len(job["sites"]), -1).T


def main() -> None:
    """Probe or trace."""
    import sionna.rt

    if sys.argv[1] == "--probe":
        job: dict[str, Any] = {
            "frequency_ghz": 2.1,
            "square_m": 50,
            "row": 1,
            "sites": [[0, 0, 20]],
            "boxes": [],
            "rays": 1000,
        }
        if not trace(job).max() > 0:
            raise SystemExit("a ray over open ground did not arrive")
        print(sionna.rt.__version__)
        return
    with open(sys.argv[1], encoding="utf-8") as stream:
        job = json.load(stream)
    with open(sys.argv[2], "wb") as stream:
        np.savez(stream, gain=trace(job))


if __name__ == "__main__":
    main()
