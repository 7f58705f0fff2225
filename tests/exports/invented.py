"""
Two invented exports of a network of 40 cells, with the faults that exports have.

`python tests/exports/invented.py FOLDER` writes FOLDER/export.csv, three weeks of autumn in one table,
and FOLDER/pm, three weeks of spring as measurement files.
"""

import gzip
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

BERLIN = ZoneInfo("Europe/Berlin")
CELLS = 40
DEAD, WRAPS, BORN, OLD, NEW, TWIN, HOLES = 2, 4, 7, 11, 12, 15, 20
QUARTER = timedelta(minutes=15)
#: The whole of a counter of 32 bits, in thousandths.
WRAPPED = 4294967.295


def cell(number: int) -> str:
    """Name a cell; one was renamed, and has two names."""
    return f"Köln-{number:02}"


def quarters(first: datetime, days: int) -> Iterator[datetime]:
    """Begins of quarters of an hour, in UTC, of days of the local calendar."""
    moment, stop = (when.astimezone(UTC) for when in (first, first + timedelta(days=days)))
    while moment < stop:
        yield moment
        moment += QUARTER


def network(first: datetime, days: int, seed: int) -> Iterator[tuple[datetime, dict[int, tuple[float, float]]]]:
    """Yield each quarter of an hour with volume and users of the cells that are there.

    Cell 2 is dead from half of the time on, cell 7 begins at two thirds, cell 11 is called 12 from half on, cell 4
    wraps once, cell 15 repeats cell 14, and in the third night all count nothing for an hour.
    """
    rng = np.random.default_rng(seed)
    size = rng.gamma(4.0, 30.0, CELLS)
    steps = list(quarters(first, days))
    middle, late = len(steps) // 2, 2 * len(steps) // 3
    for k, begin in enumerate(steps):
        local = begin.astimezone(BERLIN)
        share = 0.15 + 0.85 * np.sin(np.pi * (local.hour + local.minute / 60) / 24) ** 2
        level = share * rng.lognormal(0, 0.1, CELLS) * (0.8 if local.weekday() > 4 else 1.0)
        silent = local.hour == 3 and (local.date() - first.date()).days == 2
        there = {}
        for n in range(CELLS):
            if (n in (DEAD, OLD) and k >= middle) or (n == BORN and k < late) or (n == NEW and k < middle):
                continue
            of = {NEW: OLD, TWIN: TWIN - 1}.get(n, n)
            volume = 0.0 if silent else round(float(size[of] * level[of]), 3)
            there[n] = (WRAPPED if n == WRAPS and k == middle // 2 else volume, round(float(20 * level[of]), 2))
        yield begin, there


def number(value: float) -> str:
    """Write a number as a German spreadsheet does: 4.294.967,295."""
    return f"{value:,.3f}".translate(str.maketrans(",.", ".,"))


def write_table(path: Path, days: int = 22, first: datetime = datetime(2024, 10, 14, tzinfo=BERLIN)) -> None:
    """Write one CSV in latin-1, semicolons between columns, three lines before the header.

    Times are local, the ends of their quarters of an hour, midnight is 24:00 of the day that ends; a column marks
    daylight saving. Cells have two carriers, a row each. Cell 20 has an N/A.
    """
    lines = ["sep=;", "Bericht: Zellen je Viertelstunde", f"Zeitraum: {days} Tage"]
    lines.append("Datum;Zeit;Sommerzeit;Zelle;Träger;Volumen DL [MB];Nutzer")
    for k, (begin, cells) in enumerate(network(first, days, 3)):
        end = (begin + QUARTER).astimezone(BERLIN)
        clock = f"{end:%d.%m.%Y;%H:%M}" if (end.hour, end.minute) != (0, 0) else f"{end - QUARTER:%d.%m.%Y};24:00"
        stamp = f"{clock};{int(bool(end.dst()))}"
        for n, (volume, users) in cells.items():
            parts = (round(0.6 * volume, 3), round(volume - round(0.6 * volume, 3), 3))
            for carrier, part in zip(("800", "1800"), parts, strict=True):
                word = "N/A" if n == HOLES and k == 333 and carrier == "800" else number(part)
                lines.append(f"{stamp};{cell(n)};{carrier};{word};{number(users)}")
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")


def write_files(folder: Path, days: int = 22, first: datetime = datetime(2024, 3, 18, tzinfo=BERLIN)) -> None:
    """Write two measurement files a quarter of an hour, half of the cells in each format, clocks a bit early.

    Volumes are in Mbit with a sub-counter of a part of it, users are means; cell 20 has a suspect period.
    """
    pm = _measurement_files()
    names = ["DRB.PdcpSduVolumeDL", "DRB.PdcpSduVolumeDL.QOS1", "RRC.ConnMean"]
    folder.mkdir(parents=True)
    for k, (begin, cells) in enumerate(network(first, days, 17)):
        early = (begin + QUARTER - timedelta(seconds=k % 30)).astimezone(BERLIN).isoformat()
        for kind, part in (("32.435", range(CELLS // 2)), ("28.532", range(CELLS // 2, CELLS))):
            rows: dict[str, dict[str, object]] = {}
            for n in part:
                if n in cells:
                    volume, users = cells[n]
                    row = [volume, round(volume / 3, 3), users]
                    entry = (row, "true") if n == HOLES and k == 333 else row
                    rows.setdefault(f"ManagedElement={kind}-{n % 3}", {})[f"Cell={n}"] = entry
            text = kind == "32.435"
            bodies = {element: [pm.info(early, names, own, kind, text=text)] for element, own in rows.items()}
            packed = gzip.compress(pm.document(bodies, kind).encode(), 1, mtime=0)
            (folder / f"A{begin:%Y%m%d.%H%M}+0000_{kind}.xml.gz").write_bytes(packed)


def _measurement_files():
    """Load what writes single measurement files, which is no package."""
    path = Path(__file__).parents[1] / "simmst" / "traffic" / "pm" / "invented.py"
    spec = spec_from_file_location("invented_pm", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    write_table(place / "export.csv")
    write_files(place / "pm")
