"""The file that a table is in: its encoding, packing, lines before the header, and what it may grow to."""

from __future__ import annotations

import codecs
import csv
import gzip
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from simmst.errors import ConfigError, DataError, short

_SEPARATORS = (",", ";", "\t", "|")
_CHUNK = 1 << 20
# A packed file may grow by so much, and any to so many bytes; a Parquet file may hold so many values a byte.
_MOST_GROWTH, _ALWAYS_FINE, _MOST_VALUES = 100, 1 << 28, 200
_GZIP = b"\x1f\x8b"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What a spreadsheet writes before the header to say what separates.
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_LOOKED_AT = 60  # lines for a header


class Table:
    """The columns of a table, of which one is in memory at a time.

    Parameters
    ----------
    columns : LazyFrame
        The columns, not read yet.
    blank : bool
        Whether lines without any value are to be left out.
    """

    def __init__(self, columns: pl.LazyFrame, blank: bool = False) -> None:
        self._columns, self._kept = columns, None
        self.schema = columns.collect_schema()
        if blank and self.schema:
            self._kept = self._with_values()

    def _with_values(self) -> pl.Series | None:
        """Mark the rows that hold anything; None if all do, as mostly the first column tells."""
        kept: pl.Series | None = None
        for name in self.schema:
            known = self._columns.select(pl.col(name).is_not_null()).collect().to_series()
            kept = known if kept is None else kept | known
            if kept.all():
                return None
        return kept

    def take(self, *expressions: pl.Expr) -> pl.DataFrame:
        """Read what expressions of columns give, a row each."""
        found = self._columns.select(*expressions).collect()
        return found if self._kept is None else found.filter(self._kept)


@contextmanager
def open_table(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    others: bool = False,
    encoding: str = "utf-8",
    skip_lines: int = 0,
) -> Iterator[Table]:
    """Open a `.csv`, `.csv.gz` or `.parquet` file; of a CSV all are texts, for what guesses types may guess
    wrongly.

    Parameters
    ----------
    path : path-like
        The file. A CSV is separated by comma, semicolon, tab or bar: whichever finds the columns, or a first line
        `sep=;` says. Blanks around names of columns do not count, and lines without any value are left out.
    columns : sequence of str
        The columns wanted.
    others : bool
        Whether to take the other columns too.
    encoding : str
        How a CSV writes its texts, such as "latin-1" or "utf-16".
    skip_lines : int
        Lines of a CSV before its header.

    Raises
    ------
    DataError
        If the file is missing, is neither, cannot be read, lacks a column, or would become too large.
    ConfigError
        If there is no such encoding.
    """
    path, columns = Path(path), list(dict.fromkeys(columns))
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        "".encode(encoding)  # what is no encoding of texts is refused, too
    except (LookupError, TypeError):
        raise ConfigError(f"encoding={encoding!r}: no such encoding; write it as latin-1 or utf-16") from None
    if skip_lines < 0:
        raise ConfigError(f"skip_lines={skip_lines}: must be 0 or more")
    try:
        if path.suffix.lower() == ".parquet":
            yield Table(_parquet(path, columns, others))
        elif path.name.lower().endswith((".csv", ".csv.gz")):
            with TemporaryDirectory() as folder:
                yield Table(_csv(path, columns, others, encoding, skip_lines, Path(folder)), blank=True)
        else:
            raise DataError(f"{path}: must end in .csv, .csv.gz or .parquet")
    except pl.exceptions.NoDataError:
        raise DataError(f"{path}: has no rows") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: {_words(str(error))}") from None


def read_table(
    path: str | os.PathLike[str],
    columns: Sequence[str],
    others: bool = False,
    encoding: str = "utf-8",
    skip_lines: int = 0,
) -> pl.DataFrame:
    """Read at once what `open_table` opens.

    Parameters
    ----------
    path, columns, others, encoding, skip_lines : path-like, sequence of str, bool, str, int
        As in `open_table`.
    """
    with open_table(path, columns, others, encoding, skip_lines) as table:
        return table.take(pl.all())


def _words(error: str) -> str:
    """Say what polars says of a file, with the mend where there is one."""
    if "utf-8" in error.lower():
        return "is no UTF-8: say how it is written with encoding (--encoding latin-1)"
    if "more fields" in error:
        return "a row has more fields than the header, as where a decimal comma also separates"
    return f"cannot be read: {error.splitlines()[0][:200]}"


def need_columns(wanted: Sequence[str], known: Sequence[str], where: str, mend: str = "") -> None:
    """Refuse a table that lacks a column (DataError)."""
    missing = [name for name in wanted if name not in known]
    if missing:
        raise DataError(f"{where}no column {missing[0]!r}; the columns are {', '.join(known)[:400]}{mend}")


def _parquet(path: Path, columns: list[str], others: bool) -> pl.LazyFrame:
    known = list(pl.read_parquet_schema(path))
    names = _named(columns, known, path, "")
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()  # of the file's own count: nothing is unpacked
    values = rows * (len(known) if others else len(names))
    size = path.stat().st_size
    if values > max(_ALWAYS_FINE // 8, _MOST_VALUES * size):
        raise DataError(f"{path}: its {size:,} bytes claim to hold {values:,} values, as a bomb would")
    return pl.scan_parquet(path).select(pl.all() if others else pl.col(list(names))).rename(names)


def _csv(
    path: Path, columns: list[str], others: bool, encoding: str, skip_lines: int, folder: Path
) -> pl.LazyFrame:
    lines = _first_lines(path, encoding)
    told = _SEP_LINE.fullmatch(lines[skip_lines]) if skip_lines < len(lines) else None
    skip = skip_lines + (told is not None)
    plain = folder / "table.csv"
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
    if packed or skip or codecs.lookup(encoding).name != "utf-8":
        _rewritten(path, plain, encoding, skip)
    else:
        plain = path
    marks = (told[1],) if told else _SEPARATORS
    headers = {mark: _header(plain, mark) for mark in marks}
    wanted = set(columns)
    best = max(marks, key=lambda mark: (wanted <= {name.strip() for name in headers[mark]}, len(headers[mark])))
    names = _named(columns, headers[best], path, _where_else(lines, wanted, skip))
    found = pl.scan_csv(plain, separator=best, infer_schema=False)
    return found.select(pl.all() if others else pl.col(list(names))).rename(names)


def _header(plain: Path, mark: str) -> list[str]:
    try:
        return pl.read_csv(plain, separator=mark, infer_schema=False, n_rows=0, truncate_ragged_lines=True).columns
    except pl.exceptions.NoDataError:
        return []


def _named(columns: list[str], known: Sequence[str], path: Path, mend: str) -> dict[str, str]:
    """Find columns, by their names as the file writes them; blanks around them do not count."""
    trimmed = [name.strip() for name in known]
    need_columns(columns, trimmed, f"{path}: ", mend)
    found = {}
    for name in columns:
        # The second of a name that is there twice is called so by polars.
        if trimmed.count(name) > 1 or f"{name}_duplicated_0" in trimmed:
            raise DataError(f"{path}: has two columns {name!r}: rename one")
        found[known[trimmed.index(name)]] = name
    return found


def _where_else(lines: Sequence[str], wanted: set[str], skipped: int) -> str:
    """Say in which other line the header is."""
    for number, line in enumerate(lines):
        if number == skipped:
            continue
        for mark in _SEPARATORS:
            fields = {field.strip().strip('"').strip() for field in line.split(mark)}
            if wanted <= fields:
                mend = f"say how many lines stand before it with skip_lines (--skip-lines {number})"
                return f"; line {number + 1} has those wanted: {mend}"
    return ""


def _blocks(path: Path) -> Iterator[bytes]:
    """Read a file in pieces, unpacked where it is gzipped and in proportion."""
    with path.open("rb") as stream:
        packed = stream.read(2) == _GZIP
        stream.seek(0)
        if not packed:
            while block := stream.read(_CHUNK):
                yield block
            return
        limit, size = max(_ALWAYS_FINE, _MOST_GROWTH * path.stat().st_size), 0
        try:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                while block := unpacked.read(_CHUNK):
                    size += len(block)
                    if size > limit:
                        raise DataError(
                            f"{path}: grows to more than {limit:,} bytes when unpacked, as a bomb would"
                        )
                    yield block
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise DataError(f"{path}: is gzipped, and cut off or damaged ({error})") from None


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)()
    first = True
    try:
        for block in _blocks(path):
            if first and block.startswith(_UTF16) and "16" not in encoding:
                raise DataError(f"{path}: is UTF-16, not {encoding}: say so with encoding (--encoding utf-16)")
            first = False
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        other = "latin-1" if codecs.lookup(encoding).name == "utf-8" else "utf-8"
        why = error.reason if isinstance(error, UnicodeDecodeError) else short(error)
        raise DataError(
            f"{path}: is not {encoding} ({why}): say how it is written with encoding (--encoding {other})"
        ) from None


def _first_lines(path: Path, encoding: str) -> list[str]:
    text = "".join(islice(_decoded(path, encoding), 1))
    return text.splitlines()[:_LOOKED_AT]


def _rewritten(path: Path, target: Path, encoding: str, skip: int) -> None:
    """Write a CSV as UTF-8, unpacked, without its first lines."""
    with target.open("w", encoding="utf-8", newline="") as out:
        rest = ""
        for text in _decoded(path, encoding):
            rest += text
            while skip and (cut := rest.find("\n")) >= 0:
                rest, skip = rest[cut + 1 :], skip - 1
            if not skip:
                out.write(rest)
                rest = ""


def listed(text: str) -> tuple[str, ...]:
    """Take names apart that stand between commas; one that holds a comma stands in double quotes."""
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []))
