"""Path gains by ray tracing with sionna-rt (extra `rt`): probed and run in processes of their own, and cached."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cutplane._install import install_command
from simmst.errors import ConfigError, DataError, SimmstError
from simmst.io.atomic import atomic_file
from simmst.io.npz import read_npz
from simmst.simulator.radio.coverage import SQUARE_KM, place_sites
from simmst.simulator.radio.path_gain import PathGain

FloatArray = NDArray[np.float64]

PROGRAM = Path(__file__).with_name("_sionna_program.py")
#: Gain in dB of a square that no ray reached: no receiver hears it.
UNREACHED_DB = -200.0
_PROBE_SECONDS, _TRACE_SECONDS = 120.0, 1800.0
# Chosen here: sites on masts of 25 m, 0.35 to 0.8 km apart; houses that are higher in the middle of the city.
_MAST_M, _LEAST_KM, _MOST_KM = 25.0, 0.35, 0.8
_BOXES_PER_SQUARE = 3
# ITU-R P.2040 gives concrete and dry ground from 1 GHz on.
_FREQUENCIES_GHZ = (1.8, 2.1, 2.6, 3.5)
_RAYS = 1_000_000


@dataclass(frozen=True, slots=True)
class RayTracer:
    """The program that traces, and the interpreter that runs it.

    Parameters
    ----------
    python : str
        Interpreter that has sionna-rt.
    program : Path
        The program; see `_sionna_program.py` for what it reads and writes.
    """

    python: str = sys.executable
    program: Path = PROGRAM

    def probe(self) -> str:
        """Trace one ray.

        Returns
        -------
        str
            Version of sionna-rt.

        Raises
        ------
        SimmstError
            If it is not installed, or cannot trace; the one line says what to do.
        """
        done = self._run(["--probe"], _PROBE_SECONDS)
        if done.returncode == 0:
            return done.stdout.split()[-1]
        if "No module named" in done.stderr:
            raise SimmstError(
                f"sionna-rt is not installed: {install_command('rt')}, or give path gains as a file"
            )
        raise SimmstError(
            f"sionna-rt cannot trace ({_why(done)}); it needs LLVM 17 or later (Debian: libllvm19), and "
            "DRJIT_LIBLLVM_PATH must name the library"
        )

    def trace(self, job: dict[str, Any], cache: Path) -> FloatArray:
        """Trace a city of boxes, or take the result of an earlier trace.

        Parameters
        ----------
        job : dict of str to object
            What the program reads.
        cache : Path
            Folder of earlier results, by the hash of job and program.

        Returns
        -------
        ndarray
            Path gain in dB, `[Q, B]`.

        Raises
        ------
        SimmstError
            If the program fails, or writes anything else than gains of this form.
        """
        text = json.dumps(job, sort_keys=True)
        key = hashlib.sha256(text.encode() + self.program.read_bytes()).hexdigest()[:32]
        kept = cache / f"{key}.npz"
        if not kept.is_file():
            with tempfile.TemporaryDirectory() as folder:
                asked, answer = Path(folder) / "job.json", Path(folder) / "gain.npz"
                asked.write_text(text, encoding="utf-8")
                done = self._run([str(asked), str(answer)], _TRACE_SECONDS)
                if done.returncode != 0:
                    raise SimmstError(f"sionna-rt failed ({_why(done)})")
                gain = _read(answer, job)
            with atomic_file(kept) as stream:
                np.savez(stream, gain=gain)
        linear = _read(kept, job)
        return np.asarray(10 * np.log10(np.maximum(linear, 10 ** (UNREACHED_DB / 10))))

    def _run(self, arguments: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
        command = [self.python, str(self.program), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise SimmstError(f"sionna-rt: no answer within {seconds:g} s") from None
        except OSError as error:
            raise SimmstError(f"{self.python}: cannot be run ({error.strerror})") from None


def traced_cities(
    n_maps: int,
    seed: int,
    cache: str | os.PathLike[str],
    row: int = 8,
    tracer: RayTracer | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PathGain:
    """Path gains of random cities of boxes.

    Parameters
    ----------
    n_maps : int
        Number of cities.
    seed : int
        Seed of layouts and houses; city `i` is a function of `(seed, i)`.
    cache : path-like
        Folder of earlier results; an interrupted call goes on there.
    row : int
        Squares in a row, at least 5.
    tracer : RayTracer, optional
        Program and interpreter; sionna-rt of this interpreter by default.
    progress : callable, optional
        Called after each city with the number done and the total.

    Raises
    ------
    ConfigError
        If a number is too small.
    SimmstError
        If sionna-rt is missing or fails.
    """
    if n_maps < 1 or row < 5 or seed < 0:
        raise ConfigError(f"n_maps={n_maps}, row={row}, seed={seed}: at least 1 map, 5 squares in a row, seed 0")
    tracer = RayTracer() if tracer is None else tracer
    jobs = [_city(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(k,))), row) for k in range(n_maps)]
    # All maps have as many sites as the one that has the fewest: those nearest to the middle.
    n_sites = min(len(job["sites"]) for job in jobs)
    tracer.probe()
    gains, sites = [], []
    for number, job in enumerate(jobs):
        job["sites"] = sorted(job["sites"], key=lambda place: float(np.hypot(place[0], place[1])))[:n_sites]
        gains.append(tracer.trace(job, Path(cache)))
        sites.append(np.array(job["sites"])[:, :2] / 1000)
        if progress is not None:
            progress(number + 1, n_maps)
    return PathGain(np.stack(gains), np.stack(sites), SQUARE_KM)


def _city(rng: np.random.Generator, row: int) -> dict[str, Any]:
    """Draw sites and houses; numbers are rounded, so that a job is the same text everywhere."""
    extent_m = 1000 * SQUARE_KM * row
    apart_km = float(np.exp(rng.uniform(np.log(_LEAST_KM), np.log(_MOST_KM))))
    sites = 1000 * place_sites(apart_km, 0.2, extent_m / 1000, rng)
    boxes = []
    for _ in range(_BOXES_PER_SQUARE * row * row):
        place = rng.uniform(-extent_m / 2, extent_m / 2, 2)
        width, depth = rng.uniform(20, 80, 2)
        height = 6 + 20 * rng.exponential() * np.exp(-np.hypot(*place) / extent_m)
        # A mast does not stand inside a house.
        if np.hypot(*(sites - place).T).min() > (width + depth) / 2:
            boxes.append([*place, width, depth, min(height, 80.0), rng.uniform(0, 90)])
    return {
        "frequency_ghz": float(rng.choice(_FREQUENCIES_GHZ)),
        "square_m": 1000 * SQUARE_KM,
        "row": row,
        "sites": [[round(float(east), 2), round(float(north), 2), _MAST_M] for east, north in sites],
        "boxes": [[round(float(x), 2) for x in box] for box in boxes],
        "rays": _RAYS,
    }


def _read(path: Path, job: dict[str, Any]) -> FloatArray:
    try:
        gain = np.asarray(read_npz(path, ["gain"])["gain"], dtype=np.float64)
    except (DataError, ValueError, KeyError):
        raise SimmstError(f"{path}: no readable path gains; delete it and trace again") from None
    shape = (job["row"] ** 2, len(job["sites"]))
    if gain.shape != shape or not np.isfinite(gain).all() or gain.min() < 0 or gain.max() > 1:
        raise SimmstError(f"{path}: not path gains {shape} between 0 and 1")
    return gain


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """Last words of a program that failed."""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return f"{ended}: {said[-1].strip()}" if said else ended
