"""A day of 2,000 cells at 15 minutes in measurement files of TS 28.532: seconds and memory of `simmst data pm`.

    python benchmarks/pm_files.py [--cells N]

Ten counters an object, three of them wanted; a gzipped file a period.
"""

import argparse
import gzip
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

NAMES = [f"Other.Counter{k}" for k in range(7)] + ["DRB.PdcpSduVolumeDL", "DRB.PdcpSduVolumeUL", "RRC.ConnMean"]
SPACE = "http://www.3gpp.org/ftp/specs/archive/28_series/28.532#measData"


def write(folder: Path, cells: int) -> int:
    """Write 96 files; return the bytes of XML in them."""
    rng = np.random.default_rng(0)
    types = "".join(f'<measType p="{p}">{name}</measType>' for p, name in enumerate(NAMES, 1))
    size = 0
    for k in range(96):
        end = (datetime(2024, 3, 10, 23, 15, tzinfo=UTC) + timedelta(minutes=15 * k)).isoformat()
        values = rng.integers(0, 100_000, (cells, len(NAMES)))
        parts = [f'<measDataFile xmlns="{SPACE}"><fileHeader dnPrefix="DC=example"/>']
        for cell, row in enumerate(values.tolist()):
            results = "".join(f'<r p="{p}">{value}</r>\n' for p, value in enumerate(row, 1))
            parts.append(
                f'<measData><measEntity localDn="ManagedElement={cell // 3}"/><measInfo>'
                f'<granPeriod duration="PT900S" endTime="{end}"/>{types}'
                f'<measValue measObjLdn="GNBDUFunction=1,NRCellDU={cell}">{results}'
                f"</measValue></measInfo></measData>"
            )
        text = "".join([*parts, "</measDataFile>"]).encode()
        size += len(text)
        (folder / f"A{k:02}.xml.gz").write_bytes(gzip.compress(text, 1))
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=2000)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "pm")
        folder.mkdir()
        size = write(folder, cells)
        words = ["--counter", "DRB.PdcpSduVolumeDL=Mbit:sum", "--counter", "DRB.PdcpSduVolumeUL=Mbit:sum",
                 "--counter", "RRC.ConnMean=users:mean"]  # fmt: skip
        program = [sys.executable, "-m", "simmst", "data", "pm", str(folder), "--timezone", "Europe/Rome", *words]
        begun = time.perf_counter()
        subprocess.run([*program, "--out", str(Path(place, "t.npz"))], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{cells} cells, 96 files, {size / 1e6:.0f} MB of XML: {seconds:.1f} s elapsed, "
          f"{used.ru_utime + used.ru_stime:.1f} s of processor, {used.ru_maxrss / 1024:.0f} MiB")  # fmt: skip


if __name__ == "__main__":
    main()
