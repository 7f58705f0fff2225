"""A table of one's own becomes a traffic file in which no value is another's, or it is refused."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from simmst.cli.data import data_app
from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.gap import Gap
from simmst.traffic.table.build import from_table

HOUR = np.timedelta64(60, "m")


def long_table(hours=48, nodes=("a", "b", "c"), start="2024-03-11T00:00", minutes=60, zone=None):
    """Rows in order of time; every value of the table is another one: 2 `[T, N]` services."""
    times = np.datetime64(start, "us") + np.arange(hours * 60 // minutes) * np.timedelta64(minutes, "m")
    number = np.arange(len(times) * len(nodes), dtype=np.float64)
    table = pl.DataFrame({"when": np.repeat(times, len(nodes)), "cell": list(nodes) * len(times)})
    table = table.with_columns(data=pl.Series(number + 1), voice=pl.Series(number / 7))
    if zone:  # continuous UTC, as the clocks on its walls show it
        table = table.with_columns(pl.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone(zone))
    return table


def read(table, **options):
    return from_table(
        table, **{"time": "when", "node": "cell", "services": ("data", "voice"), "units": "MB"} | options
    )


def walls(table):
    """What an export prints that knows of no offsets."""
    return table.with_columns(pl.col("when").dt.replace_time_zone(None))


def values_of(table):
    return {(t, n): (d, v) for t, n, d, v in table.select("when", "cell", "data", "voice").iter_rows()}


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_each_value_is_its_rows_or_counted_as_filled_whatever_rows_are_shuffled_removed_or_doubled(draw):
    table = long_table(
        hours=draw.draw(st.integers(3, 30)), nodes=("z", "a", "m 1", "07")[: draw.draw(st.integers(1, 4))]
    )
    rows = draw.draw(st.lists(st.integers(0, len(table) - 1), min_size=len(table) // 3, max_size=2 * len(table)))
    part = table[rows]  # any rows, in any order, any number of times
    part = part.with_columns(voice=pl.when(pl.Series(rows) % 5 > 0).then("voice"))  # and some values empty
    try:
        data, report = read(part, step_minutes=60, max_missing=0.9, gap_share=0.4)
    except DataError as error:
        assert str(error).startswith(("every node lacks", "time: ", "data: at ", "voice: at ")), (
            "too little is left, and it says so"
        )
        return
    known = values_of(part)
    assert report.rows == len(part) and report.duplicates == len(part) - len(known)
    assert (np.diff(data.times) == HOUR).all()
    left_out = {name for name, _ in report.left_out}
    assert set(data.node_ids) == {node for _, node in known} - left_out
    holes = gaps = 0
    for t, time in enumerate(data.times):
        for n, node in enumerate(data.node_ids):
            row = known.get((time.item(), node), (None, None))
            for s, value in enumerate(row):
                if value is not None:
                    assert data.values[t, n, s] == np.float32(value), (time, node)
                elif data.filled[t, s]:
                    gaps += 1
                else:
                    holes += 1
                assert data.known[t, n, s] == (value is not None and not data.filled[t, s])
    assert holes == report.filled and report.gap_steps == data.filled.sum()
    assert (gaps > 0) == bool(data.gaps)
    inside = {time for time, node in known if node in data.node_ids}
    span = int((max(inside) - min(inside)).total_seconds()) // 3600 + 1
    assert len(data.times) + report.cut >= span, "what is not there was cut off, and counted"


def test_an_hour_that_every_node_lacks_is_a_gap_and_shifts_nothing():
    table = long_table().filter(pl.col("when") != np.datetime64("2024-03-11T05:00"))
    data, report = read(table)
    gap = (np.datetime64("2024-03-11T05:00", "m"), np.datetime64("2024-03-11T06:00", "m"))
    assert data.gaps == (Gap("data", *gap), Gap("voice", *gap)) and data.fill == "days"
    whole, _ = read(long_table())
    kept = np.arange(48) != 5
    assert (data.values[kept] == whole.values[kept]).all() and report.filled == 0
    assert (data.values[5] == whole.values[29]).all(), "the next day's"


def test_hours_of_a_gap_that_follow_each_other_are_one():
    times = pl.col("when")
    outage = times.is_between(np.datetime64("2024-03-11T05:00"), np.datetime64("2024-03-11T09:00"))
    data, report = read(long_table().filter(~outage))
    assert len(data.gaps) == 2 and report.gap_steps == 10
    assert any("2024-03-11T05:00 to 2024-03-11T10:00 (all services)" in line for line in report.sentences)


def test_a_hole_is_filled_by_the_same_hour_of_the_nearest_day_before_that_has_it():
    table = long_table(hours=7 * 24, nodes=[f"{n:02}" for n in range(10)])
    hours, third = pl.int_range(pl.len()) // 10, pl.col("cell") == "03"
    data, report = read(table.filter(~(third & hours.is_in([77, 101, 3]))))
    whole, _ = read(table)
    assert report.filled == 6 and not data.gaps
    for hole, source in {77: 53, 101: 53, 3: 27}.items():  # before the first day there is only the one after
        np.testing.assert_array_equal(data.values[hole, 3], whole.values[source, 3])
    short = long_table(hours=20).filter(pl.int_range(pl.len()) // 3 != 7)
    np.testing.assert_array_equal(read(short)[0].values[7], read(long_table(hours=20))[0].values[6])


def test_a_doubled_row_does_not_hide_a_missing_one():
    table = long_table(nodes=[f"{n:02}" for n in range(20)])
    rows = np.arange(len(table))
    rows[407] = 406  # 20:00: node 06 twice, node 07 not at all
    data, report = read(table[rows])
    whole, _ = read(table)
    assert report.duplicates == 1 and report.filled == 2 and report.filled_nodes == (("07", 2),) and not data.gaps
    changed = np.argwhere((data.values != whole.values).any(axis=2))
    assert changed.tolist() in ([], [[20, 7]])


def test_rows_of_one_time_and_node_that_differ_are_refused_with_the_first():
    table = long_table()
    twice = pl.concat([table, table[[31, 40]].with_columns(data=pl.lit(0.5))])
    with pytest.raises(DataError, match=r"2 pairs .* first 2024-03-11 10:00, 'b'.*--timezone"):
        read(twice)
    with pytest.raises(DataError, match="first 2024-03-11 10:00, 'b': mend the table"):
        read(twice, timezone="Europe/Rome")


class TestDaylightSaving:
    def test_in_spring_the_hour_that_is_skipped_is_a_gap(self):
        offset = long_table(start="2024-03-30T23:00", zone="Europe/Rome")
        data, report = read(offset, timezone="Europe/Rome")
        assert data.start == np.datetime64("2024-03-31T00:00") and len(data.values) == 49
        assert [str(gap.start) for gap in data.gaps] == ["2024-03-31T02:00"] * 2
        assert data.values[3, 0, 0] == 7, "03:00 is the third hour"
        assert any("skips 2024-03-31T02:00" in line for line in report.sentences)
        for zone in (None, "Europe/Rome"):
            again, _ = read(walls(offset), timezone=zone)
            assert (again.values == data.values).all() and again.gaps == data.gaps

    def test_in_autumn_the_hour_that_is_repeated_holds_the_mean_of_both(self):
        offset = long_table(start="2024-10-26T22:00", zone="Europe/Rome")
        data, report = read(offset, timezone="Europe/Rome")
        assert report.repeated == 3 and len(data.values) == 47 and not data.gaps
        assert data.values[:4, 0, 0].tolist() == [1, 4, (7 + 10) / 2, 13]
        again, report = read(walls(offset), timezone="Europe/Rome")
        assert (again.values == data.values).all() and report.repeated == 3
        with pytest.raises(DataError, match=r"first 2024-10-27 02:00, 'a'.*--timezone"):
            read(walls(offset))

    def test_a_repeated_hour_with_one_row_is_named(self):
        once = walls(long_table(start="2024-10-26T22:00", zone="Europe/Rome")).unique(["when", "cell"])
        assert read(once, timezone="Europe/Rome")[1].repeated_once == 3

    def test_times_that_the_zone_does_not_have_are_refused(self):
        utc = walls(long_table(start="2024-03-31T00:00"))
        with pytest.raises(DataError, match=r"2024-03-31 02:00:00 does not exist in Europe/Rome.*--utc"):
            read(utc, timezone="Europe/Rome")
        data, _ = read(utc, timezone="Europe/Rome", utc=True)
        assert data.start == np.datetime64("2024-03-31T01:00") and len(data.gaps) == 2

    def test_times_with_an_offset_are_not_taken_for_local_ones(self):
        for table in (
            long_table(zone="Europe/Rome"),
            long_table().with_columns(pl.col("when").dt.strftime("%Y-%m-%d %H:%M:%S+01:00")),
            long_table().with_columns(pl.col("when").dt.strftime("%Y-%m-%dT%H:%MZ")),
        ):
            with pytest.raises(ConfigError, match="--timezone Europe/Rome"):
                read(table)
        assert read(table, timezone="Europe/Rome")[0].start == np.datetime64("2024-03-11T01:00")

    def test_one_moment_written_in_two_ways_is_one(self):
        table = long_table().with_columns(pl.col("when").dt.strftime("%Y-%m-%dT%H:%MZ"))
        other = table.with_columns(pl.col("when").str.replace("Z", ":00+00:00"))
        data, report = read(pl.concat([table, other]), timezone="Asia/Kolkata")
        assert report.duplicates == len(table) and data.start == np.datetime64("2024-03-11T05:30")


class TestWhatIsMissing:
    def test_a_node_that_lacks_too_much_is_left_out_and_the_others_have_no_gaps(self):
        table = long_table(nodes=[f"{n:02}" for n in range(12)])
        dead = (pl.col("cell") == "03") & (pl.col("when") > np.datetime64("2024-03-12T00:00"))
        data, report = read(table.filter(~dead))
        assert report.left_out == (("03", pytest.approx(23 / 48)),) and "03" not in data.node_ids
        assert len(data.node_ids) == 11 and not data.gaps and report.filled == 0
        assert any("03 (47.9%)" in line for line in report.sentences)
        kept, report = read(table.filter(~dead), max_missing=0.5)
        assert "03" in kept.node_ids and report.filled == 46 and report.filled_nodes == (("03", 46),)

    def test_a_node_that_begins_late_is_kept_and_its_past_is_unknown(self):
        table = long_table(hours=96, nodes=[f"{n:02}" for n in range(12)])
        early = pl.col("when") < np.datetime64("2024-03-13T00:00")
        data, report = read(table.filter(~(early & pl.col("cell").is_in(["03", "07"]))))
        assert len(data.node_ids) == 12 and not report.left_out and not data.gaps and report.filled == 0
        assert report.new == tuple((name, np.datetime64("2024-03-13T00:00")) for name in ("03", "07"))
        assert any(line.startswith("new: 2 nodes begin") for line in report.sentences)
        expected = np.zeros(data.values.shape, dtype=bool)
        expected[:48, [3, 7]] = True
        assert np.array_equal(data.missing, expected)
        known = read(table)[0].values
        assert np.array_equal(data.values[data.known], known[data.known])

    def test_a_new_node_with_holes_of_its_own_or_less_than_a_day_is_left_out(self):
        table = long_table(hours=96, nodes=[f"{n:02}" for n in range(12)])
        one = pl.col("cell") == "03"
        short = table.filter(~(one & (pl.col("when") < np.datetime64("2024-03-14T01:00"))))
        odd = table.filter(
            ~(one & ((pl.col("when") < np.datetime64("2024-03-13T00:00")) | (pl.col("when").dt.hour() == 7)))
        )
        for part in (short, odd.filter(~(one & (pl.col("when").dt.hour() == 8)))):
            _, report = read(part)
            assert [name for name, _ in report.left_out] == ["03"] and not report.new

    @pytest.mark.parametrize(("missing", "limit"), [(1, 0.05), (3, 0.15), (7, 0.35), (5, 0.25)])
    def test_a_node_that_lacks_exactly_the_share_is_kept(self, missing, limit):
        # `missing` of 20 hours; in floating point 1 - 19 / 20 is more than 0.05, and 1 / 20 is not.
        table = long_table(hours=20, nodes=[f"{n:02}" for n in range(12)])
        early = pl.col("when") < np.datetime64("2024-03-11T00:00") + missing * HOUR
        data, _ = read(table.filter(~((pl.col("cell") == "03") & early)), max_missing=limit)
        assert "03" in data.node_ids
        data, report = read(table.filter(~((pl.col("cell") == "03") & early)), max_missing=limit - 0.01)
        assert "03" not in data.node_ids and report.left_out == (("03", limit),)

    def test_a_step_is_a_gap_when_more_than_the_share_lacks_it(self):
        table = long_table(nodes=[f"{n:02}" for n in range(10)])
        hour = pl.col("when") == np.datetime64("2024-03-11T07:00")
        one, two = (table.filter(~(hour & pl.col("cell").is_in(c))) for c in (["04"], ["04", "05"]))
        assert not read(one)[0].gaps and read(one)[1].filled == 2
        assert len(read(two)[0].gaps) == 2 and read(two)[1].filled == 0
        assert len(read(one, gap_share=0)[0].gaps) == 2

    def test_steps_at_the_ends_that_most_nodes_lack_are_cut_off(self):
        table = long_table()
        early = pl.DataFrame({"when": [datetime(2024, 3, 10, 22)], "cell": ["b"], "data": [5.0], "voice": [5.0]})
        data, report = read(pl.concat([table, early]))
        assert data.start == np.datetime64("2024-03-11T00:00") and report.cut == 2 and not data.gaps

    def test_nodes_of_which_none_has_enough_are_refused(self):
        table = long_table(nodes=("a", "b"))
        with pytest.raises(
            DataError, match=r"every node lacks more than max_missing=0\.05 of its values, 'b' least \(10.4%"
        ):
            read(table.filter(pl.Series([i % 96 not in (*range(0, 20, 2), *range(41, 51, 2)) for i in range(96)])))

    def test_nodes_that_came_in_the_middle_keep_the_days_that_they_have(self):
        table = long_table()
        late = (pl.col("cell") != "a") & (pl.col("when") < np.datetime64("2024-03-11T20:00"))
        data, report = read(table.filter(~late))
        assert data.node_ids == ("a", "b", "c") and data.start == np.datetime64("2024-03-11T20:00")
        assert report.cut == 20 and any("left out: 20 steps at the ends" in line for line in report.sentences)

    def test_negative_infinite_and_empty_values_are_holes(self):
        table = long_table(nodes=[f"{n:02}" for n in range(20)])
        bad = [-1.0, np.inf, np.nan, None]
        data, report = read(table.with_columns(data=pl.Series(bad + table["data"].to_list()[4:])), gap_share=0.3)
        assert (report.negative, report.non_finite, report.filled) == (1, 2, 4)
        assert data.values[0, :4, 0].tolist() == data.values[24, :4, 0].tolist(), "the next day's"
        with pytest.raises(DataError, match=r"data: at no step half of the 20 nodes have a value .960 negative"):
            read(table.with_columns(pl.col("data") - 1e6))


class TestSteps:
    def test_finer_steps_need_to_be_told_volumes_from_intensities(self):
        table = long_table(minutes=15)
        with pytest.raises(ConfigError, match=r"steps of 15 minutes .*--mean none"):
            read(table)
        data, _ = read(table, mean=("voice",))
        quarters = table["data"].to_numpy().reshape(48, 4, 3), table["voice"].to_numpy().reshape(48, 4, 3)
        assert data.step_minutes == 60 and data.start == np.datetime64("2024-03-11T00:00")
        np.testing.assert_allclose(data.values[..., 0], quarters[0].sum(axis=1), rtol=1e-6)
        np.testing.assert_allclose(data.values[..., 1], quarters[1].mean(axis=1), rtol=1e-6)
        np.testing.assert_allclose(read(table, mean=())[0].values[..., 1], quarters[1].sum(axis=1), rtol=1e-6)
        with pytest.raises(ConfigError, match="mean: 'erlang' is none of the services data, voice"):
            read(table, mean=("erlang",))

    def test_a_missing_quarter_of_all_is_a_gap_of_its_hour(self):
        table = long_table(minutes=15).filter(pl.col("when") != np.datetime64("2024-03-11T07:30"))
        data, _ = read(table, mean=())
        assert np.flatnonzero(data.filled[:, 0]).tolist() == [7]

    def test_hours_beside_a_few_finer_rows_are_refused(self):
        quarters = long_table(minutes=15, nodes=[f"{n:02}" for n in range(10)])
        mixed = quarters.filter((pl.col("when").dt.minute() == 0) | (pl.col("cell") == "03"))
        with pytest.raises(DataError, match=r"data: at 7\d.\d% of the steps of 15 minutes .*--step"):
            read(mixed, mean=())

    def test_a_time_off_the_steps_is_refused(self):
        table = long_table()
        stray = table[:1].with_columns(pl.col("when").dt.offset_by("1h15m"))
        with pytest.raises(DataError, match="2024-03-11T01:15 lies between two steps of 60 minutes"):
            read(pl.concat([table, stray]))
        with pytest.raises(DataError, match="is one of them a stray"):
            read(pl.concat([table, stray.with_columns(pl.col("when").dt.offset_by("45m").dt.offset_by("-40y"))]))
        for year in (1, 9999):  # "no time", as some exports write it
            row = table[:1].with_columns(when=pl.datetime(year, 12, 31))
            with pytest.raises(DataError, match=r"is no time of traffic: mend the table"):
                read(pl.concat([table, row], how="vertical_relaxed"))
        with pytest.raises(DataError, match="not on a whole minute"):
            read(table.with_columns(pl.col("when").dt.offset_by("3s")))
        with pytest.raises(DataError, match="step_minutes=1440, by which most times"):
            read(long_table(hours=240).filter(pl.col("when").dt.hour() == 0))
        with pytest.raises(DataError, match="one time only"):
            read(table[:3])


class TestTexts:
    def test_a_time_is_read_as_told_and_never_guessed(self):
        table = long_table().with_columns(pl.col("when").dt.strftime("%d.%m.%Y %H:%M"))
        with pytest.raises(DataError, match=r"'11.03.2024 00:00' is not written as .*--time-format"):
            read(table)
        data, _ = read(table, time_format="%d.%m.%Y %H:%M")
        assert data.start == np.datetime64("2024-03-11T00:00")
        for text in ("1710111600000", "20240311T0000", "03/11/2024", "2024-03-11 1 PM", ""):
            with pytest.raises(DataError, match=r"is not written as|no time"):
                read(table.with_columns(when=pl.lit(text)))
        for form in ("%d.%m. %H:%M", "%Y-%m-%d %H:%M %Z"):
            with pytest.raises(ConfigError, match="needs the year"):
                read(table, time_format=form)
        mixed = long_table().with_columns(
            pl.col("when").dt.strftime("%Y-%m-%d %H:%M") + pl.Series(["+01:00", *[""] * 143])
        )
        with pytest.raises(DataError, match="write all alike"):
            read(mixed, timezone="Europe/Rome")
        with pytest.raises(ConfigError, match="no such time zone"):
            read(long_table(), timezone="Rome")

    def test_a_comma_is_a_decimal_point_when_told(self):
        table = long_table().with_columns(pl.col("data").cast(pl.String).str.replace(".", ",", literal=True))
        with pytest.raises(DataError, match=r"data: '1,0' in row 1 is no number.*--decimal-comma"):
            read(table)
        assert (read(table, decimal_comma=True)[0].values == read(long_table())[0].values).all()
        for text in ("1.234", "1.234,5", "12 MB"):
            with pytest.raises(DataError, match="in row 3 is no number"):
                read(table.with_columns(data=table["data"].scatter(2, text)), decimal_comma=True)

    def test_a_row_without_a_time_or_node_is_refused(self):
        for name in ("when", "cell"):
            table = long_table().with_columns(pl.when(pl.int_range(pl.len()) != 5).then(pl.col(name)).alias(name))
            with pytest.raises(DataError, match=r"row 6: no (time|node)"):
                read(table)


class TestCommand:
    @pytest.fixture
    def invoke(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        def run(*arguments, services="data,voice"):
            columns = ("--time", "when", "--node", "cell", "--services", services, "--units", "MB")
            return CliRunner().invoke(data_app, ["table", *columns, *arguments])

        return run

    def test_it_writes_what_it_read_and_says_what_it_did(self, invoke):
        table = long_table(nodes=("007", "08"))
        comma = [pl.col(name).cast(pl.String).str.replace(".", ",", literal=True) for name in ("data", "voice")]
        table.with_columns(comma).write_csv("export.csv", separator=";")
        pl.DataFrame(
            {"cell": ["08", "007", "9"], "site": 1, "LAT": [45.4, 45.5, 1.0], "lon": [9.1, 9.2, 1.0]}
        ).write_csv("cells.csv")
        result = invoke("export.csv", "--decimal-comma", "--coordinates", "cells.csv", "--out", "t.npz")
        assert result.exit_code == 0, result.output
        assert "96 rows; times without an offset" in result.output and "made: 48 hours" in result.output
        data = TrafficData.load("t.npz")
        assert data.node_ids == ("007", "08") and data.units == "MB", "zeros in front are part of a name"
        assert data.coordinates.tolist() == [[9.2, 45.5], [9.1, 45.4]]
        assert (data.values == read(table)[0].values).all()
        assert "exists already" in str(invoke("export.csv", "--decimal-comma", "--out", "t.npz").exception)

    def test_parquet_is_read_too(self, invoke):
        long_table(zone="Europe/Rome").write_parquet("export.parquet")
        assert invoke("export.parquet", "--timezone", "Europe/Rome", "--out", "t.npz").exit_code == 0
        assert TrafficData.load("t.npz").start == np.datetime64("2024-03-11T01:00")

    def test_finer_volumes_need_the_word(self, invoke):
        long_table(minutes=30).write_csv("export.csv")
        assert "--mean none" in str(invoke("export.csv", "--out", "t.npz").exception)
        assert "summed data; averaged voice" in invoke("export.csv", "--mean", "voice", "--out", "a.npz").output
        assert (
            "summed data, voice; averaged none" in invoke("export.csv", "--mean", "none", "--out", "b.npz").output
        )

    def test_a_column_that_is_there_twice_is_refused(self, invoke, tmp_path):
        (tmp_path / "export.csv").write_text("when,cell,data,voice,data\n2024-03-11 00:00,a,1,2,3\n")
        assert "has two columns 'data'" in str(invoke("export.csv", "--out", "t.npz").exception)

    def test_what_it_cannot_read_is_named(self, invoke, tmp_path):
        long_table().write_csv("export.csv", separator="\t")
        (tmp_path / "export.txt").write_text("x")
        (tmp_path / "broken.parquet").write_text("x")
        for arguments, services, said in (
            (("none.csv",), "data", "none.csv: no such file"),
            (("export.txt",), "data", "must end in .csv, .csv.gz or .parquet"),
            (("broken.parquet",), "data", "broken.parquet: cannot be read"),
            (("export.csv",), "data,download", "no column 'download'; the columns are when, cell, data, voice"),
            (("export.csv",), "data,data", "must be different names"),
            (("export.csv", "--max-missing", "1"), "data", "max_missing=1.0: must be a share"),
        ):
            error = invoke(*arguments, "--out", "t.npz", services=services).exception
            assert isinstance(error, (DataError, ConfigError)) and said in str(error), error
        assert not (tmp_path / "t.npz").exists()

    def test_every_node_needs_one_place_in_degrees(self, invoke):
        long_table(nodes=("a", "b")).write_csv("export.csv")
        for places, said in (
            ({"cell": ["a"], "lon": [9.0], "lat": [45.0]}, "1 of the 2 nodes are missing, first 'b'"),
            ({"cell": ["a", "b", "b"], "lon": [9.0, 9.0, 9.1], "lat": [45.0, 45.0, 45.0]}, "'b' has two places"),
            ({"cell": ["a", "b"], "lon": [9.0, 514_000.0], "lat": [45.0, 45.0]}, "longitude of 'b' is 514000.0"),
            ({"cell": ["a", "b"], "x": [9.0, 9.0], "lat": [45.0, 45.0]}, "need one column longitude or lon"),
        ):
            pl.DataFrame(places).write_csv("cells.csv")
            error = invoke("export.csv", "--coordinates", "cells.csv", "--out", "t.npz").exception
            assert isinstance(error, DataError) and said in str(error), error
