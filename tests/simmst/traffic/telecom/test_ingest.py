"""From raw daily files to a traffic file: sums, local time, gaps, malformed lines, interruptions."""

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.telecom.day import read_day
from simmst.traffic.telecom.ingest import ingest
from simmst.traffic.telecom.parts import DayParts

FIRST_MS = 1383260400000  # 2013-11-01T00:00 in Italy
STEP_MS = 600_000


def write_day(folder, day="2013-11-01", lines=None, first_ms=FIRST_MS, steps=144, squares=(1, 2), place="mi"):
    """One daily file; without `lines`, each square has 1 for sms-in, 2 for sms-out ... 5 for internet a step."""
    if lines is None:
        times = range(first_ms, first_ms + steps * STEP_MS, STEP_MS)
        lines = [f"{square}\t{time}\t39\t1\t2\t3\t4\t5" for square in squares for time in times]
    path = folder / f"sms-call-internet-{place}-{day}.txt"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def record(square=1, step=0, country=39, values=("", "", "", "", ""), first_ms=FIRST_MS):
    return "\t".join(map(str, (square, first_ms + step * STEP_MS, country, *values)))


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


def test_countries_directions_and_steps_are_summed(raw, tmp_path):
    lines = [record(square, step, 39, (1, 2, 10, 20, 0.5)) for square in (7, 9) for step in range(144)]
    lines += [record(9, 3, 33, (100, "", "", "", "")), record(9, 3, 0, ("", "", "", 7, 1e3))]
    write_day(raw, lines=lines)
    report = ingest(raw, tmp_path / "city.npz", resolution=10)
    data = TrafficData.load(report.path)
    assert data.services == ("call", "sms", "internet") and data.units == "activity"
    assert data.node_ids == ("7", "9") and data.values.shape == (144, 2, 3)
    np.testing.assert_allclose(data.values[3], [[30, 3, 0.5], [37, 103, 1000.5]])
    np.testing.assert_allclose(data.values[4], [[30, 3, 0.5], [30, 3, 0.5]])
    for resolution, steps in ((30, 3), (60, 6)):
        coarse = TrafficData.load(ingest(raw, tmp_path / f"{resolution}.npz", resolution).path)
        sums = data.values.reshape(144 // steps, steps, 2, 3).sum(axis=1)
        np.testing.assert_allclose(coarse.values, sums, rtol=1e-6)
        assert coarse.step_minutes == resolution


def test_the_clock_is_the_italian_one(raw, tmp_path):
    write_day(raw)
    data = TrafficData.load(ingest(raw, tmp_path / "city.npz").path)
    assert data.start == np.datetime64("2013-11-01T00:00") and len(data.times) == 24


def test_only_the_squares_of_milano_get_coordinates(raw, tmp_path):
    write_day(raw)
    data = TrafficData.load(ingest(raw, tmp_path / "milano.npz").path)
    np.testing.assert_allclose(data.coordinates[0], [9.013, 45.3577], atol=1e-3)
    (raw / "sms-call-internet-mi-2013-11-01.txt").unlink()
    write_day(raw, place="tn")
    assert TrafficData.load(ingest(raw, tmp_path / "trento.npz").path).coordinates is None


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(0, 1e12).map(repr),
            st.floats(0, 1e3).map("{:.17g}".format),
            st.floats(0, 1e5).map("{:E}".format),
            st.integers(0, 10**12).map(str),
            st.sampled_from(
                ["0", "0e999", "00.50", ".5", "5.", "1e-320", "0." + "0" * 30 + "1", "1" + "." + "9" * 60]
            ),
        ),
        min_size=5,
        max_size=5,
    )
)
@settings(deadline=None, max_examples=200)
def test_numbers_are_read_as_python_reads_them(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("numbers")
    path = write_day(
        folder, lines=[record(values=["" if v is None else v for v in values]), record(2, values=[1] * 5)]
    )
    day = read_day(path, np.datetime64("2013-11-01"), 0)
    sms_in, sms_out, call_in, call_out, internet = (float(v or 0) for v in values)
    np.testing.assert_allclose(
        day.values[0, 0], [call_in + call_out, sms_in + sms_out, internet], rtol=2e-7, atol=1e-40
    )


# Daylight saving


def test_the_hour_skipped_in_spring_is_a_gap_and_nothing_shifts(raw, tmp_path):
    midnight = int(np.datetime64("2014-03-29T23:00", "ms").astype(int))
    path = write_day(raw, "2014-03-30", first_ms=midnight, steps=138)
    lines = path.read_text().splitlines()
    lines[137] = lines[137].rsplit("\t", 1)[0] + "\t500"  # the last step of square 1
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="first call from 2014-03-30T02:00 to 2014-03-30T03:00"):
        ingest(raw, tmp_path / "city.npz")
    report = ingest(raw, tmp_path / "city.npz", resolution=10, fill="zero")
    data = TrafficData.load(report.path)
    assert len(data.values) == 144 and report.repeated == 0
    assert data.values[143, 0, 2] == 500, "what was recorded at 23:50 stays there"
    np.testing.assert_array_equal(np.flatnonzero(data.filled[:, 0]), np.arange(12, 18))
    assert not data.values[12:18].any() and data.values[18, 0, 2] == 5


def test_the_hour_repeated_in_autumn_is_the_mean_of_both(raw, tmp_path):
    midnight = int(np.datetime64("2013-10-26T22:00", "ms").astype(int))
    lines = [record(1, step, 39, (1, 1, 1, 1, step), first_ms=midnight) for step in range(150)]
    write_day(raw, "2013-10-27", lines)
    report = ingest(raw, tmp_path / "city.npz", resolution=10)
    internet = TrafficData.load(report.path).values[:, 0, 2]
    assert report.repeated == 6 and report.gap_steps == 0
    np.testing.assert_array_equal(internet[:12], np.arange(12))
    np.testing.assert_array_equal(internet[12:18], np.arange(12, 18) + 3)
    np.testing.assert_array_equal(internet[18:], np.arange(24, 150))


# Gaps


def gappy(raw):
    """Two days around a missing one; the internet of the second is its step, with steps 50..59 not recorded."""
    write_day(raw)
    lines = [
        record(1, s, 39, (1, 1, 1, 1, s), FIRST_MS + 2 * 144 * STEP_MS) for s in range(144) if not 50 <= s < 60
    ]
    write_day(raw, "2013-11-03", lines)


def test_gaps_are_refused_unless_a_fill_is_chosen(raw, tmp_path):
    gappy(raw)
    with pytest.raises(DataError, match=r"1 days between .* have no file, first 2013-11-02"):
        ingest(raw, tmp_path / "city.npz")
    write_day(raw, "2013-11-02", first_ms=FIRST_MS + 144 * STEP_MS)
    with pytest.raises(
        DataError, match=r"3 gaps, first call from 2013-11-03T08:20 to 2013-11-03T10:00.*fill=zero"
    ):
        ingest(raw, tmp_path / "city.npz")
    assert not (tmp_path / "city.npz").exists()


def test_a_zero_fill_is_marked_and_recorded(raw, tmp_path):
    gappy(raw)
    report = ingest(raw, tmp_path / "city.npz", fill="zero")
    data = TrafficData.load(report.path)
    assert (report.days, report.missing_days, report.steps, report.squares) == (2, 1, 72, 2)
    expected = np.zeros(72, dtype=bool)
    expected[24:48] = expected[48 + 8 : 48 + 10] = True  # 08:20 to 10:00 touches two hours
    np.testing.assert_array_equal(data.filled, np.repeat(expected[:, None], 3, axis=1))
    assert data.fill == "zero" and report.gap_steps == 3 * 26 and report.filled == 3 * 26 * 2
    assert not data.values[24:48].any()
    assert data.values[48 + 8, 0, 2] == 48 + 49, "the recorded part of a cut hour stays"


def test_a_linear_fill_joins_the_recorded_steps(raw, tmp_path):
    gappy(raw)
    data = TrafficData.load(ingest(raw, tmp_path / "city.npz", resolution=10, fill="linear").path)
    np.testing.assert_allclose(data.values[288:, 0, 2], np.arange(144), rtol=1e-6)
    # From 5 at the end of the first day to 0 at the begin of the third, over the missing one.
    np.testing.assert_allclose(data.values[143:289, 0, 2], np.linspace(5, 0, 146), atol=1e-6)


def test_a_linear_fill_holds_at_the_ends_and_needs_something_to_hold(raw, tmp_path):
    write_day(raw, lines=[record(1, step, 39, (1, "", 1, "", step)) for step in range(20, 30)])
    data = TrafficData.load(ingest(raw, tmp_path / "city.npz", resolution=10, fill="linear").path)
    np.testing.assert_array_equal(data.values[[0, 19, 30, 143], 0, 2], [20, 20, 29, 29])
    write_day(raw, lines=[record(1, step, 39, (1, "", 1, "", "")) for step in range(144)])
    with pytest.raises(DataError, match="no file holds any record of internet"):
        ingest(raw, tmp_path / "other.npz", fill="linear")


def test_a_square_without_a_record_is_silent_not_a_gap(raw, tmp_path):
    lines = [record(1, step, values=(1, 1, 1, 1, 1)) for step in range(144)] + [
        record(2, 5, values=("", "", "", "", 2))
    ]
    write_day(raw, lines=lines)
    report = ingest(raw, tmp_path / "city.npz", resolution=10)
    assert report.gap_steps == 0 and report.silent == 144 * 3 - 1
    assert TrafficData.load(report.path).values[:, 1].sum() == 2


def test_marks_follow_selection_hours_and_saving(raw, tmp_path):
    gappy(raw)
    data = TrafficData.load(ingest(raw, tmp_path / "city.npz", resolution=10, fill="zero").path)
    part = data.select(services=["internet"], start="2013-11-03T00:00").hourly()
    part.save(tmp_path / "part.npz")
    back = TrafficData.load(tmp_path / "part.npz")
    assert back.fill == "zero" and back.gaps == part.gaps
    np.testing.assert_array_equal(np.flatnonzero(back.filled[:, 0]), [8, 9])


# Malformed lines

GOOD = record(1, 0, 39, (1, 2, 3, 4, 5))
BAD = {
    "": "1 fields in place of 8",
    GOOD + "\t6": "9 fields in place of 8",
    GOOD[:20]: "4 fields in place of 8",
    GOOD.replace("\t", ","): "1 fields",
    "x" + GOOD: "'x1' is not a square id from 1 to 11466",
    "1" * 40 + GOOD: "is not a square id",
    record(0): "'0' is not a square id",
    record(11467): "'11467' is not a square id",
    record(1, -1): "is not a ten-minute step of 2013-11-01, local time",
    record(1, 144): "is not a ten-minute step of 2013-11-01, local time",
    record(1, 0, first_ms=FIRST_MS + 1): "is not a ten-minute step",
    record(1, 0, "it"): "'it' is not a country code",
    record(values=(1, "nan", 1, 1, 1)): "sms_out 'nan' is not a number from 0 to 1e12",
    record(values=(1, 1, "inf", 1, 1)): "call_in 'inf' is not a number",
    record(values=(1, 1, 1, -2, 1)): "call_out '-2' is not a number",
    record(values=(1, 1, 1, 1, "1e13")): "internet '1e13' is not a number",
    record(values=(1, 1, 1, 1, "1e")): "internet '1e' is not a number",
    record(values=(".", 1, 1, 1, 1)): "sms_in '.' is not a number",
    record(values=("1 ", 1, 1, 1, 1)): "sms_in '1 ' is not a number",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items())
def test_a_malformed_line_is_left_out_and_named(raw, tmp_path, line, reason):
    path = write_day(raw)
    path.write_text(line + "\n" + path.read_text())
    report = ingest(raw, tmp_path / "city.npz", max_malformed=1)
    assert report.n_malformed == 1 and report.lines == 289
    assert report.malformed[0].startswith(f"{path.name}:1: ") and reason in report.malformed[0]
    np.testing.assert_array_equal(TrafficData.load(report.path).values[0, 0], [42, 18, 30])
    with pytest.raises(DataError, match=r":1: .*1 malformed lines .* max_malformed=0"):
        ingest(raw, tmp_path / "strict.npz", max_malformed=0)


def test_line_numbers_hold_across_blocks_and_a_cut_end(raw, tmp_path, monkeypatch):
    monkeypatch.setattr("simmst.traffic.telecom.day._BLOCK", 100)
    path = write_day(raw)
    lines = path.read_text().splitlines()
    lines[70], lines[200], lines[-1] = "broken", "broken too", lines[-1][:20]
    path.write_bytes("\r\n".join(lines).encode())
    report = ingest(raw, tmp_path / "city.npz")
    assert [text.split(":")[1] for text in report.malformed] == ["71", "201", "288"]
    assert report.lines == 288
    path.write_bytes(b"\xff" * 1000)
    with pytest.raises(DataError, match="a line of more than 100 bytes"):
        ingest(raw, tmp_path / "binary.npz")


def test_the_limit_is_on_all_files_together(raw, tmp_path):
    for day in range(3):
        path = write_day(raw, f"2013-11-0{day + 1}", first_ms=FIRST_MS + day * 144 * STEP_MS)
        path.write_text("x\n" + path.read_text())
    assert ingest(raw, tmp_path / "city.npz", max_malformed=3).n_malformed == 3
    with pytest.raises(DataError, match=r"3 malformed lines up to .*-03.txt, more than max_malformed=2"):
        ingest(raw, tmp_path / "other.npz", max_malformed=2)


# Interruptions


def test_a_second_call_reads_only_what_is_left_or_changed(raw, tmp_path):
    out = tmp_path / "city.npz"
    for day in range(3):
        write_day(raw, f"2013-11-0{day + 1}", first_ms=FIRST_MS + day * 144 * STEP_MS)
    (raw / "sms-call-internet-mi-2013-11-03.txt").write_text("x\n" * 101)
    with pytest.raises(DataError, match="101 malformed"):
        ingest(raw, out)
    assert not out.exists()
    write_day(raw, "2013-11-03", first_ms=FIRST_MS + 2 * 144 * STEP_MS)
    os.utime(write_day(raw), ns=(1, 1))  # the first file is another one now
    seen = []
    report = ingest(raw, out, progress=lambda *step: seen.append(step))
    assert report.days_kept == 1
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["city.npz", "raw"], "the parts are gone"
    assert len(TrafficData.load(out).values) == 72


def test_days_that_are_kept_are_looked_up_by_one_thread(raw, tmp_path, monkeypatch):
    # Several threads at once made NumPy's reader fail now and then, and the day was read again: days_kept was 0.
    for day in range(3):
        write_day(raw, f"2013-11-0{day + 1}", first_ms=FIRST_MS + day * 144 * STEP_MS)
    looked, summary = [], DayParts.summary

    def watched(self, day, path):
        looked.append(threading.current_thread())
        return summary(self, day, path)

    monkeypatch.setattr(DayParts, "summary", watched)
    ingest(raw, tmp_path / "city.npz")
    assert looked == [threading.main_thread()] * 3


def test_a_damaged_part_is_read_again(raw, tmp_path):
    write_day(raw)
    parts = tmp_path / "city.npz.parts"
    parts.mkdir()
    (parts / "2013-11-01.npz").write_bytes(b"half")
    assert ingest(raw, tmp_path / "city.npz").days_kept == 0
    assert not parts.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"recorded": np.ones((3, 3), dtype=bool)},
        {"recorded": np.ones((144, 3))},
        {"squares": np.array([[1, 2]])},
        {"squares": np.array([2, 1])},
        {"squares": np.array([1.0, 2.0])},
        {"numbers": np.array('{"silent": 1e400, "repeated": 0, "lines": 1, "malformed": []}')},
        {"numbers": np.array('{"silent": -1, "repeated": 0, "lines": 1, "malformed": []}')},
        {"numbers": np.array("[" * 100_000)},
    ],
)
def test_a_part_of_another_shape_is_read_again(raw, tmp_path, monkeypatch, change):
    write_day(raw)
    parts = DayParts(tmp_path / "city.npz.parts")
    monkeypatch.setattr(DayParts, "remove", lambda self: None)
    whole = ingest(raw, tmp_path / "city.npz")
    (part,) = parts.folder.glob("*.npz")
    kept = dict(np.load(part))
    np.savez(part, **kept | change)
    (tmp_path / "city.npz").unlink()
    again = ingest(raw, tmp_path / "city.npz")
    assert again.days_kept == 0 and again == whole
    (tmp_path / "city.npz").unlink()
    assert ingest(raw, tmp_path / "city.npz").days_kept == 1


# The door


def test_what_cannot_be_ingested_is_said_in_one_line(raw, tmp_path):
    out = tmp_path / "city.npz"
    with pytest.raises(DataError, match="no such folder"):
        ingest(tmp_path / "none", out)
    with pytest.raises(DataError, match=r"no file such as sms-call-internet-mi-2013-11-01.txt"):
        ingest(raw, out)
    for option in ({"resolution": 15}, {"fill": "mean"}, {"max_malformed": -1}):
        with pytest.raises(ConfigError, match=next(iter(option))):
            ingest(raw, out, **option)
    empty = write_day(raw, lines=[])
    with pytest.raises(DataError, match="holds no record of 2013-11-01"):
        ingest(raw, out)
    empty.unlink()
    write_day(raw, "2013-02-30")
    with pytest.raises(DataError, match="no day of the calendar"):
        ingest(raw, out)
    (raw / "sms-call-internet-mi-2013-02-30.txt").unlink()
    for year in ("0001", "9999"):
        file = write_day(raw, f"{year}-12-31")
        with pytest.raises(DataError, match="no day of traffic"):
            ingest(raw, out)
        file.unlink()
    write_day(raw, "2013-11-01")
    write_day(raw, "2013-11-09")
    with pytest.raises(DataError, match="most days are missing"):
        ingest(raw, out, fill="zero")
    write_day(raw, "2013-11-02", place="tn")
    with pytest.raises(DataError, match="one set, but has sms-call-internet-mi and sms-call-internet-tn"):
        ingest(raw, out)
    out.write_text("something dear")
    with pytest.raises(DataError, match="exists already"):
        ingest(raw, out)
