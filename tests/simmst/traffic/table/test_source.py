"""A file is read as it is written, or refused with the option that mends it."""

import gzip

import polars as pl
import pytest

from simmst.errors import ConfigError, DataError
from simmst.traffic.table import source
from simmst.traffic.table.source import listed, read_table

ROWS = [("2024-03-11 00:00", "Zürich", "1"), ("2024-03-11 01:00", "Zürich", "2")]
TEXT = "time;cell;dl\n" + "".join(";".join(row) + "\n" for row in ROWS)
COLUMNS = ("time", "cell", "dl")


def read(path, data, **options):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_table(path, COLUMNS, **options).rows()


@pytest.fixture
def csv(tmp_path):
    return tmp_path / "export.csv"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_and_ends_of_lines_are_found(csv, mark, end):
    assert read(csv, TEXT.replace(";", mark).replace("\n", end)) == ROWS


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8-sig", {})] + [(name, {"encoding": name}) for name in ("latin-1", "cp1252", "utf-16", "utf-16-le")],
)
@pytest.mark.parametrize("pack", [False, True])
def test_encodings_are_read_when_told(csv, tmp_path, encoding, told, pack):
    data = TEXT.encode(encoding)
    path = tmp_path / "export.csv.gz" if pack else csv
    assert read(path, gzip.compress(data) if pack else data, **told) == ROWS


def test_encodings_that_are_not_told_are_named(csv):
    with pytest.raises(DataError, match=r"is not utf-8.*--encoding latin-1"):
        read(csv, TEXT.encode("latin-1"))
    with pytest.raises(DataError, match=r"is UTF-16, not utf-8.*--encoding utf-16"):
        read(csv, TEXT.encode("utf-16"))
    with pytest.raises(DataError, match=r"is not utf-16 .*--encoding utf-8"):
        read(csv, TEXT.encode("utf-8") + b"x", encoding="utf-16")
    late = TEXT.encode() + b"2024-03-11 02:00;a;3\n" * 70_000 + "2024-03-11 03:00;Zürich;4\n".encode("latin-1")
    with pytest.raises(DataError, match=r"no UTF-8.*--encoding latin-1"):
        read(csv, late)
    for wrong in ("latin1000", "rot13", "base64"):
        with pytest.raises(ConfigError, match=f"encoding='{wrong}': no such encoding"):
            read(csv, TEXT, encoding=wrong)


def test_lines_before_the_header_are_named_and_left_out_when_told(csv):
    text = 'Report of "all" cells\n\nmade;2024-03-12\n' + TEXT
    with pytest.raises(DataError, match=r"no column 'time'.*line 4 has those wanted.*--skip-lines 3"):
        read(csv, text)
    assert read(csv, text, skip_lines=3) == ROWS
    with pytest.raises(ConfigError, match="skip_lines=-1"):
        read(csv, text, skip_lines=-1)
    with pytest.raises(DataError, match="no column 'time'"):
        read(csv, text, skip_lines=300)


@pytest.mark.parametrize("line", ["sep=|", '"sep=|"', "SEP=| "])
def test_a_line_that_says_what_separates_is_followed(csv, line):
    text = "time|cell|dl\n" + "".join("|".join(row) + "\n" for row in ROWS)
    assert read(csv, f"{line}\n{text}") == ROWS
    assert read(csv, f"title\n{line}\r\n{text}", skip_lines=1) == ROWS


def test_blanks_around_names_and_lines_without_values_do_not_count(csv):
    text = TEXT.replace("time;cell;dl\n", " time ;cell; dl;note \n").replace(";1\n", ";1;\n\n;;;\n")
    assert read(csv, f"{text}\n\n") == ROWS
    assert read_table(csv, ("note", "time"), others=True)["time"].to_list() == [row[0] for row in ROWS]


@pytest.mark.parametrize("header", ["time;cell;dl;dl", "time;cell;dl; dl"])
def test_a_name_that_is_there_twice_is_refused(csv, header):
    with pytest.raises(DataError, match="has two columns 'dl'"):
        read(csv, f"{header}\n1;2;3;4\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [("", "no column 'time'"), ("time;cell\n", "no column 'dl'"),
     ("time;cell;dl\n1;2;3,4;5\n", "more fields than"),
     ('time;cell;dl\n"1;2;3\n', "cannot be read"), (b"\x1f\x8b\x08\x00broken", "gzipped, and cut off or damaged")],
)  # fmt: skip
def test_what_is_broken_is_named(csv, data, said):
    with pytest.raises(DataError, match=said):
        read(csv, data)


def test_what_grows_without_measure_is_refused_before_it_is_in_memory(csv, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_ALWAYS_FINE", 1 << 16)
    with pytest.raises(DataError, match="grows to more than"):
        read(csv, gzip.compress(TEXT.encode() + b"\n" * (1 << 23)))
    path = tmp_path / "export.parquet"
    pl.DataFrame(dict.fromkeys(COLUMNS, pl.repeat("x", 3_000_000, eager=True))).write_parquet(path)
    with pytest.raises(DataError, match="claim to hold 9,000,000 values"):
        read_table(path, COLUMNS)


def test_parquet_files_are_read_by_trimmed_names(tmp_path):
    path = tmp_path / "export.parquet"
    pl.DataFrame({" time": [1, 2], "dl ": [3.0, None], "x": [0, 0]}).write_parquet(path)
    assert read_table(path, ("dl", "time")).select("time", "dl").rows() == [(1, 3.0), (2, None)]


def test_names_are_listed_by_commas_and_quoted_where_they_hold_one():
    assert listed("a, b c") == ("a", "b c")
    assert listed('"Traffic, DL (MB)",users') == ("Traffic, DL (MB)", "users")
