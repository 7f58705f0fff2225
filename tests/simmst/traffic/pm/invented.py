"""
An invented export of measurement files, for the tests and the page on them.

`python tests/simmst/traffic/pm/invented.py FOLDER` writes 15 days of 40 cells at 15 minutes: a gzipped file a
period of the elements of each format.
"""

import gzip
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

SPACES = {
    "32.435": "http://www.3gpp.org/ftp/specs/archive/32_series/32.435#measCollec",
    "28.532": "http://www.3gpp.org/ftp/specs/archive/28_series/28.532#measData",
}
WORDS = {
    "32.435": ("measCollecFile", "measCollec", "managedElement", 'localDn="EMS=1"', "NIL"),
    "28.532": ("measDataFile", "measData", "measEntity", 'senderName="EMS=1"', "NULL"),
}
ROME = ZoneInfo("Europe/Rome")


def info(end, names, rows, kind="32.435", duration="PT900S", text=False, counters=""):
    """One measInfo: `rows` maps objects to results (None: the format's word for none), or (results, suspect)."""
    nothing = WORDS[kind][4]
    lines = [f'<measInfo measInfoId="{counters}"><granPeriod duration="{duration}" endTime="{end}"/>']
    lines.append('<repPeriod duration="PT3600S"/>')
    if text:
        lines.append(f"<measTypes>{' '.join(names)}</measTypes>")
    else:
        lines += [f'<measType p="{p}">{name}</measType>' for p, name in enumerate(names, 1)]
    for ldn, results in rows.items():
        values, suspect = results if isinstance(results, tuple) else (results, None)
        words = [nothing if value is None else str(value) for value in values]
        lines.append(f'<measValue measObjLdn="{ldn}">')
        if text:
            lines.append(f"<measResults>{' '.join(words)}</measResults>")
        else:  # an r may come in any order
            lines += reversed([f'<r p="{p}">{word}</r>' for p, word in enumerate(words, 1)])
        lines.append("</measValue>" if suspect is None else f"<suspect>{suspect}</suspect></measValue>")
    return "\n".join([*lines, "</measInfo>"])


def document(bodies, kind="32.435", prefix="DC=example", begin="2000-01-01T00:00:00Z"):
    """One file: `bodies` maps elements to lists of measInfo; `begin`, the collection's, is of no use."""
    root, header, element, sender, _ = WORDS[kind]
    inner = "\n".join(
        f'<measData><{element} localDn="{name}" swVersion="1"/>{"".join(infos)}</measData>'
        for name, infos in bodies.items()
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<?xml-stylesheet type="text/xsl" href="Measurements.xsl"?>\n'
        f'<{root} xmlns="{SPACES[kind]}">\n<fileHeader fileFormatVersion="{kind} V1" vendorName="none" '
        f'dnPrefix="{prefix}"><fileSender {sender}/><{header} beginTime="{begin}"/></fileHeader>\n{inner}\n'
        f'<fileFooter><{header} endTime="{begin}"/></fileFooter></{root}>\n'
    )


def rhythm(moment: datetime) -> float:
    """Share of the busiest quarter of an hour, by local time."""
    local = moment.astimezone(ROME)
    return 0.15 + 0.85 * np.sin(np.pi * (local.hour + local.minute / 60) / 24) ** 2


def periods(first: datetime, days: float) -> Iterator[datetime]:
    """Begins of quarters of an hour, in UTC, of days of the local calendar."""
    moment, stop = (when.astimezone(UTC) for when in (first, first + timedelta(days=days)))
    while moment < stop:
        yield moment
        moment += timedelta(minutes=15)


def write(folder: Path, days: float = 15, first: datetime = datetime(2024, 3, 18, tzinfo=ROME), cells=40) -> None:
    """
    Write the export: volumes in Mbit (with a sub-counter of a part of it), users as means.

    Half the cells are of three elements that write as TS 32.435 says, in one text; the others as TS 28.532
    says. Of the cells the third is dead from the ninth day on, the fifth has an impossible volume once, the
    seventh a suspect period; clocks of elements stop up to half a minute early.
    """
    rng = np.random.default_rng(17)
    size = rng.gamma(4.0, 30.0, cells)
    folder.mkdir(parents=True)
    names = ["DRB.PdcpSduVolumeDL", "DRB.PdcpSduVolumeDL.QOS1", "RRC.ConnMean"]
    for k, begin in enumerate(periods(first, days)):
        exact = begin + timedelta(minutes=15)
        end = exact.astimezone(ROME)
        early = (exact - timedelta(seconds=int(rng.integers(0, 30)))).astimezone(ROME).isoformat()
        share = rhythm(begin) * rng.lognormal(0, 0.1, cells)
        for kind, half in (("32.435", range(cells // 2)), ("28.532", range(cells // 2, cells))):
            bodies: dict[str, list[str]] = {}
            for n in half:
                if n == 2 and k >= 96 * 8:
                    continue
                volume = 4294967.295 if n == 4 and k == 500 else round(float(size[n] * share[n]), 3)
                row = [volume, round(volume / 3, 3), round(float(share[n] * 20), 2)]
                entry = (row, "true") if n == 6 and k == 300 else row
                element = f"ManagedElement={kind}-{n % 3}"
                bodies.setdefault(element, []).append(
                    info(early, names, {f"Cell={n}": entry}, kind, text=kind == "32.435")
                )
            stamp = f"{begin.astimezone(ROME):%Y%m%d.%H%M%z}-{end:%H%M%z}"
            packed = gzip.compress(document(bodies, kind).encode(), 1, mtime=0)
            (folder / f"A{stamp}_{kind}.xml.gz").write_bytes(packed)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
