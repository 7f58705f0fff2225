"""Days of 2,000 cells at 15 minutes in one CSV of three services: seconds and memory of `simmst data table`.

python benchmarks/own_table.py [--days 60]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

CELLS, STEPS = 2000, 96


def write(path: Path, days: int) -> None:
    """Write the table, a day at a time."""
    rng = np.random.default_rng(0)
    cells = pl.Series([f"CELL{n:05}" for n in range(CELLS)] * STEPS)
    with path.open("wb") as stream:
        for day in range(days):
            first = np.datetime64("2024-01-01T00:00", "us") + np.timedelta64(day, "D")
            times = np.repeat(first + np.arange(STEPS) * np.timedelta64(15, "m"), CELLS)
            down, up, prb = rng.gamma(2.0, 100.0, (3, STEPS * CELLS)).round(2)
            table = pl.DataFrame({"time": times, "cell": cells, "down": down, "up": up, "prb": prb})
            table.write_csv(stream, include_header=day == 0, datetime_format="%Y-%m-%d %H:%M")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "export.csv")
        write(path, days)
        words = ["--time", "time", "--node", "cell", "--services", "down,up,prb", "--units", "down=MB,up=MB,prb=%"]
        program = [sys.executable, "-m", "simmst", "data", "table", str(path), *words, "--mean", "prb"]
        begun = time.perf_counter()
        subprocess.run([*program, "--out", str(Path(place, "t.npz"))], check=True, stdout=subprocess.DEVNULL)
        seconds, size = time.perf_counter() - begun, path.stat().st_size
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{days} days, {days * STEPS * CELLS:,} rows, {size / 1e6:.0f} MB: {seconds:.1f} s elapsed, "
          f"{used.ru_utime + used.ru_stime:.1f} s of processor, {used.ru_maxrss / 1024:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
