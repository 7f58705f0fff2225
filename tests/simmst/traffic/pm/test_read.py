"""Measurement files become traffic in which each value stands at the hour, object and counter that it was of."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import simmst as sm
from simmst.cli.data import data_app
from simmst.errors import ConfigError, DataError
from simmst.traffic.dataset import TrafficData
from simmst.traffic.pm import parts as parts_module
from simmst.traffic.table.build import from_table

QUARTER = timedelta(minutes=15)
ROME = ZoneInfo("Europe/Rome")
NOON = datetime(2024, 3, 11, 11, tzinfo=UTC)  # 12:00 in Rome


def ends(hours, first=NOON):
    """Ends of the quarters of some hours, in the local time of Rome with its offset."""
    return [(first + (k + 1) * QUARTER).astimezone(ROME).isoformat() for k in range(round(4 * hours))]


def hourly(values):
    return np.array(values, dtype=np.float64).reshape(-1, 4).sum(axis=1)


def simple(invented, times, values, kind="32.435", **options):
    """A file a period, of one cell and one counter."""
    return [
        invented.document({"E=1": [invented.info(end, ["Vol"], {"C=1": [value]}, kind, **options)]}, kind)
        for end, value in zip(times, values, strict=True)
    ]


@pytest.mark.parametrize("kind", ["32.435", "28.532"])
@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("pack", [False, True])
def test_both_formats_in_both_forms_are_read(invented, export, kind, text, pack):
    export(*simple(invented, ends(3), range(12), kind, text=text), pack=pack)
    data, report = export.read()
    assert data.values[:, 0, 0].tolist() == hourly(range(12)).tolist()
    assert data.node_ids == ("DC=example,E=1,C=1",) and data.units == "MB" and report.files == 12
    assert data.start == np.datetime64("2024-03-11T12:00")


class TestWhatIsCommonlyGotWrong:
    def test_1_the_end_is_the_end_and_the_header_says_nothing(self, invented, export):
        # The clock stops 30 s early, as in the standard's own example (14:14:30); one file holds all periods, and
        # its header and its repPeriod (an hour) are of the collection.
        early = [(datetime.fromisoformat(end) - timedelta(seconds=30)).isoformat() for end in ends(2)]
        infos = [invented.info(end, ["Vol"], {"C=1": [k]}) for k, end in enumerate(early)]
        data, report = export(invented.document({"E=1": infos}, begin="2024-03-11T00:00:00+01:00")).read()
        assert data.start == np.datetime64("2024-03-11T12:00")
        assert data.values[:, 0, 0].tolist() == hourly(range(8)).tolist()
        assert (report.moved, report.most_moved) == (8, 30)
        assert any(
            "8 times a period ended off the clock's grid, by 30 seconds" in line for line in report.sentences
        )

    def test_2_lengths_and_offsets_are_read_in_all_their_spellings(self, invented, export):
        times = ends(2)
        times[1] = times[1].replace("+01:00", "+0100")
        times[2] = datetime.fromisoformat(times[2]).astimezone(UTC).isoformat().replace("+00:00", "Z")
        lengths = ["PT900S", "PT15M", "P0DT0H15M0S", "PT0H900S"] * 2
        export(*[
            invented.document({"E=1": [invented.info(end, ["Vol"], {"C=1": [1]}, duration=length)]})
            for end, length in zip(times, lengths, strict=True)
        ])  # fmt: skip
        assert export.read()[0].values[:, 0, 0].tolist() == [4, 4]

    def test_3_p_is_of_its_measinfo_and_what_is_unknown_is_not_zero(self, invented, export):
        # p=1 is another counter in the second measInfo; the results come in reverse order (see `info`).
        infos = [
            part
            for end in ends(2)
            for part in (
                invented.info(end, ["Vol", "Users"], {"C=1": [100, 7]}),
                invented.info(end, ["Drops", "Vol"], {"C=2": [3, 200]}),
            )
        ]
        wanted = {"Vol": ("MB", "sum"), "Users": ("users", "mean")}
        export(invented.document({"E=1": infos}))
        data, _ = export.read({"Vol": ("MB", "sum")})
        assert data.values[0, :, 0].tolist() == [400, 800]
        data, report = export.read(wanted)
        assert data.values[0, :, 1].tolist() == [7] and report.table.left_out == (("DC=example,E=1,C=2", 1.0),)

    def test_3_suspect_nil_and_missing_are_as_the_user_says(self, invented, export):
        rows = [{"C=1": [10, 1]}] * 8
        rows[1] = {"C=1": [None, 1]}
        rows[5] = {"C=1": ([2, 1], "true")}
        rows[6] = {"C=1": ([10, 1], "false")}
        infos = [
            invented.info(end, ["Vol", "Users"], row, "28.532") for end, row in zip(ends(2), rows, strict=True)
        ]
        infos[2] = infos[2].replace('<r p="1">10</r>', "")
        export(invented.document({"E=1": infos}, "28.532"))
        wanted = {"Vol": ("MB", "sum"), "Users": ("users", "mean")}
        options = {"gap_share": 0.1, "max_missing": 0.5}
        data, report = export.read(wanted, **options)
        assert (report.nil, report.missing, report.suspect, report.values) == (1, 1, 2, 16)
        assert data.filled[:, 0].all(), "both hours hold a quarter that nobody knows"
        zero, _ = export.read(wanted, nil="zero", missing="zero", suspect="use", **options)
        assert zero.values[:, 0, 0].tolist() == [20, 32] and not zero.gaps
        for name in ("nil", "missing", "suspect"):
            with pytest.raises(ConfigError, match=f"{name}='no'"):
                export.read(**{name: "no"})

    def test_4_large_counters_keep_their_digits_and_the_headers_measdata_is_no_body(self, invented, export):
        large = [2**24 + 1 + k for k in range(8)]
        data, _ = export(*simple(invented, ends(2), large, "28.532")).read()
        np.testing.assert_allclose(data.values[:, 0, 0], hourly(large), rtol=1.5e-7)
        assert data.values[0, 0, 0] != data.values[1, 0, 0]

    def test_5_units_and_sum_or_mean_are_said(self, invented, export):
        infos = [invented.info(end, ["Vol", "Prb"], {"C=1": [k, 10 * k]}) for k, end in enumerate(ends(2))]
        export(invented.document({"E=1": infos}))
        data, report = export.read({"Vol": ("Mbit", "sum"), "Prb": ("%", "mean")})
        assert data.values[:, 0, 0].tolist() == [6, 22] and data.values[:, 0, 1].tolist() == [15, 55]
        assert data.unit_of("Vol") == "Mbit" and data.unit_of("Prb") == "%"
        assert data.select(services=["Prb"]).units == "%"
        assert "to hours: summed Vol; averaged Prb" in report.sentences
        for wrong in (
            {"Vol": "MB"},
            {"Vol": ("MB",)},
            {"Vol": ("MB", "max")},
            {"Vol": ("", "sum")},
            {"Vol": None},
        ):
            with pytest.raises(ConfigError, match="Vol' needs its unit and sum or mean"):
                export.read(wrong)

    def test_6_parts_of_a_counter_are_not_added_to_it(self, invented, export):
        names = ["Vol.QOS1", "Vol", "Vol_Filter", "Vol.SNSSAI1"]
        infos = [invented.info(end, names, {"C=1": [1, 10, 100, 1000]}) for end in ends(1)]
        export(invented.document({"E=1": infos}))
        assert export.read()[0].values.ravel().tolist() == [40]
        assert export.read({"Vol.QOS1": ("MB", "sum")})[0].values.ravel().tolist() == [4]
        with pytest.raises(DataError, match=r"no file has Vol\.SNSSAI; they have Vol\.SNSSAI1"):
            export.read({"Vol.SNSSAI": ("MB", "sum")})

    def test_6_a_counter_that_is_there_in_parts_only_is_refused_with_their_names(self, invented, export):
        infos = [invented.info(end, ["Vol.QOS1", "Vol.QOS2"], {"C=1": [1, 2]}) for end in ends(1)]
        with pytest.raises(
            DataError, match=r"no file has Vol; they have only parts .* not added up: Vol.QOS1, Vol.QOS2"
        ):
            export(invented.document({"E=1": infos})).read()

    def test_7_objects_of_the_same_name_are_told_apart_by_their_elements(self, invented, export):
        for prefix in ("DC=one", "DC=two"):
            bodies = {
                element: [invented.info(end, ["Vol"], {"C=1": [value]}) for end in ends(1)]
                for element, value in (("E=1", 1 + len(prefix)), ("E=2", 2))
            }
            export(invented.document(bodies, prefix=prefix))
        data, _ = export.read()
        assert data.node_ids == ("DC=one,E=1,C=1", "DC=one,E=2,C=1", "DC=two,E=1,C=1", "DC=two,E=2,C=1")
        assert data.values[0, :, 0].tolist() == [28, 8, 28, 8]
        # An element without a name of its own is its sender; an object without one is the element.
        text = invented.document({"": [invented.info(end, ["Vol"], {"": [1]}) for end in ends(1)]}, prefix="DC=3")
        export(text)
        assert "DC=3,EMS=1" in export.read()[0].node_ids

    def test_8_names_of_files_say_nothing(self, invented, export):
        export(*simple(invented, ends(2), range(8)))
        for k, path in enumerate(sorted(export.folder.iterdir())):
            path.rename(export.folder / f"A19990101.0000-1000-0015-1000_{k % 3}_{k}")
        (export.folder / "deeper").mkdir()
        (export.folder / "A19990101.0000-1000-0015-1000_0_0").rename(export.folder / "deeper" / "x.csv")
        assert export.read()[0].values[:, 0, 0].tolist() == hourly(range(8)).tolist()


class TestTheChangesOfTheClock:
    """As for tables: days have 24 hours; what is skipped is a gap, what is repeated holds the mean."""

    @pytest.mark.parametrize(
        "day", [datetime(2024, 3, 30, 23, tzinfo=UTC), datetime(2024, 10, 26, 22, tzinfo=UTC)]
    )
    def test_it_is_what_a_table_of_the_same_values_gives(self, invented, export, day):
        values = np.arange(4 * 26) ** 1.5
        export(*simple(invented, ends(26, day), values))
        data, report = export.read()
        begins = [(day + k * QUARTER).isoformat() for k in range(len(values))]
        table = pl.DataFrame({"time": begins, "cell": "DC=example,E=1,C=1", "Vol": values})
        same, of_table = from_table(table, "time", "cell", ["Vol"], "MB", mean=(), timezone="Europe/Rome")
        assert (data.values == same.values).all() and data.gaps == same.gaps and data.start == same.start
        assert report.table.repeated == of_table.repeated == (4 if day.month == 10 else 0)

    def test_in_spring_begin_and_end_of_a_period_have_different_offsets(self, invented, export):
        # From 01:45+01:00 to 03:00+02:00 there are 15 minutes.
        times = ends(3, datetime(2024, 3, 31, 0, tzinfo=UTC))
        assert times[3] == "2024-03-31T03:00:00+02:00"
        data, report = export(*simple(invented, times, range(12))).read()
        assert data.start == np.datetime64("2024-03-31T01:00") and len(data.values) == 4
        assert data.values[[0, 2, 3], 0, 0].tolist() == hourly(range(12)).tolist()
        assert [str(gap.start) for gap in data.gaps] == ["2024-03-31T02:00"]
        assert any("skips 2024-03-31T02:00" in line for line in report.sentences)

    def test_in_autumn_the_repeated_hour_holds_the_mean_of_both(self, invented, export):
        times = ends(4, datetime(2024, 10, 26, 23, tzinfo=UTC))
        assert times[3] == "2024-10-27T02:00:00+02:00" and times[7] == "2024-10-27T02:00:00+01:00"
        data, report = export(*simple(invented, times, range(16))).read()
        first, second, third, fourth = hourly(range(16))
        assert data.start == np.datetime64("2024-10-27T01:00") and report.table.repeated == 4
        assert data.values[:, 0, 0].tolist() == [first, (second + third) / 2, fourth]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_values_are_the_same_however_they_are_spread_over_files_and_infos(invented, tmp_path_factory, seed, data):
    """Any split of the results over files, formats, forms, measInfos and orders gives the one array."""
    rng = np.random.default_rng(seed)
    cells, hours = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    values = rng.integers(0, 1000, (4 * hours, cells, 2))
    folder = tmp_path_factory.mktemp("pm")
    for k, end in enumerate(ends(hours)):
        for cell in rng.permutation(cells):
            kind, text = rng.choice(["32.435", "28.532"]), bool(rng.integers(2))
            names, row = ["Vol", "Noise", "Prb"], [values[k, cell, 0], 5, values[k, cell, 1]]
            order = rng.permutation(3)
            split = int(rng.integers(0, 4))
            groups = [group for group in (order[:split], order[split:]) if len(group)]
            infos = [
                invented.info(
                    end, [names[i] for i in group], {f"C={cell}": [row[i] for i in group]}, kind, text=text
                )
                for group in groups
            ]
            (folder / f"{rng.integers(2**40)}").write_text(invented.document({"E=1": infos}, kind))
    found = sm.read_pm(folder, {"Vol": ("MB", "sum"), "Prb": ("%", "mean")}, "Europe/Rome", gap_share=0)
    expected = values.reshape(hours, 4, cells, 2)
    assert found.node_ids == tuple(f"DC=example,E=1,C={cell}" for cell in range(cells))
    np.testing.assert_array_equal(found.values[..., 0], expected[..., 0].sum(axis=1))
    np.testing.assert_allclose(found.values[..., 1], expected[..., 1].mean(axis=1), rtol=1e-6)


class TestRefusals:
    def test_results_of_one_object_and_period_that_differ_are_refused_and_the_same_count_once(
        self, invented, export
    ):
        export(*simple(invented, ends(1), range(4)))
        export(simple(invented, ends(1), range(4))[2])
        data, report = export.read()
        assert report.table.duplicates == 1 and data.values.ravel().tolist() == [6]
        export(simple(invented, ends(1), [0, 0, 9, 0])[2])
        with pytest.raises(
            DataError, match=r"1 results differ .* Vol of 'DC=example,E=1,C=1' .* 2024-03-11T11:30 UTC"
        ):
            export.read()

    def test_damaged_files_are_refused_or_left_out_and_named(self, invented, export):
        texts = simple(invented, ends(2), range(8))
        export(*texts[:7], texts[7][:-20])
        with pytest.raises(DataError, match=r"A0007.xml: is no well-formed XML.*--max-damaged"):
            export.read()
        _, report = export.read(max_damaged=1, gap_share=0, max_missing=0.5)
        assert report.files == 7 and len(report.damaged) == 1
        assert any("left out as damaged: 1: A0007.xml" in line for line in report.sentences)
        export(texts[7][:-20])
        with pytest.raises(DataError, match="2 files cannot be taken, more than max_damaged=1"):
            export.read(max_damaged=1)

    def test_other_files_and_links_are_named(self, invented, export, tmp_path):
        export(*simple(invented, ends(1), range(4)), "<mdc/>", "time;cell\n")
        (tmp_path / "elsewhere.xml").write_text(simple(invented, ends(2), range(8))[7])
        (export.folder / "link.xml").symlink_to(tmp_path / "elsewhere.xml")
        (export.folder / ".hidden.xml").write_text("<")
        data, report = export.read()
        assert len(data.values) == 1 and report.links == 1
        assert report.others == ("A0004.xml: its root is mdc of no namespace", "A0005.xml: is no XML")

    def test_a_folder_without_measurements_is_refused(self, export, tmp_path):
        with pytest.raises(DataError, match="no such folder"):
            export.read()
        export.folder.mkdir()
        with pytest.raises(DataError, match="holds no file"):
            export.read()
        with pytest.raises(DataError, match=r"none of 1 files is a measurement file, first A0000\.xml: is no XML"):
            export("x").read()

    def test_counters_of_other_periods_are_refused_or_left_out(self, invented, export):
        export(*simple(invented, ends(2), range(8)))
        hours = [invented.info(end, ["Hourly"], {"C=1": [5]}, duration="PT1H") for end in ends(2)[3::4]]
        export(invented.document({"E=1": hours}))
        with pytest.raises(DataError, match=r"Hourly has no periods of 15 minutes, but of 60 minutes.*--step"):
            export.read({"Vol": ("MB", "sum"), "Hourly": ("MB", "sum")})
        assert export.read({"Hourly": ("MB", "sum")})[0].values.ravel().tolist() == [5, 5]
        short = [invented.info(ends(1)[0], ["Vol"], {"C=1": [1]}, duration="PT7S")]
        _, report = export(invented.document({"E=1": short})).read()
        assert report.other_periods == {0: 1}
        assert "left out: 1 values of periods of no whole minutes beside those of 15" in report.sentences

    def test_no_counter_lists_those_there_are(self, invented, export):
        export("x", *simple(invented, ends(1), range(4)))
        with pytest.raises(ConfigError, match=r"name one at least .* A0001.xml has Vol"):
            export.read({})

    def test_what_is_odd_is_said_and_what_is_too_large_is_left_out_when_told(self, invented, export):
        values = [50] * 400
        values[100] = 4294967.295
        export(*simple(invented, ends(100), values))
        _, report = export.read()
        assert any(
            "look at this: Vol has 1 values" in line and "a counter that wrapped" in line
            for line in report.sentences
        )
        data, report = export.read(max_value=1000)
        assert (data.values == 200).all() and report.table.too_large == 1

    def test_objects_that_change_their_names_do_not_fill_the_memory(self, invented, export, monkeypatch):
        monkeypatch.setattr("simmst.traffic.pm.build._ALWAYS_FINE", 1000)
        export(*[
            invented.document({f"E={k}": [invented.info(end, ["Vol"], {"C=1": [1]})]})
            for k, end in enumerate(ends(30))
        ])  # fmt: skip
        with pytest.raises(DataError, match="120 objects at 120 times have 120 values"):
            export.read()


class TestGoingOn:
    @pytest.fixture
    def small_batches(self, monkeypatch):
        monkeypatch.setattr(parts_module, "_BATCH", 1)

    def test_a_killed_import_reads_only_what_is_left_or_changed(self, invented, export, tmp_path, small_batches):
        export(*simple(invented, ends(2), range(8)))
        parts = tmp_path / "parts"

        def stop(done, total, name):
            if done == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export.read(parts=parts, progress=stop)
        data, report = export.read(parts=parts)
        assert report.kept == 5 and data.values[:, 0, 0].tolist() == hourly(range(8)).tolist()
        changed = sorted(export.folder.iterdir())[0]
        changed.write_text(simple(invented, ends(2), [100] * 8)[0])
        data, report = export.read(parts=parts)
        assert report.kept == 7 and data.values[0, 0, 0] == 106
        assert export.read(parts=parts, nil="zero")[1].kept == 0, "read by other rules"

    def test_a_part_that_is_not_as_it_was_written_is_read_again(self, invented, export, tmp_path, small_batches):
        export(*simple(invented, ends(1), range(4)))
        parts = tmp_path / "parts"
        export.read(parts=parts)
        first, second, third, fourth = sorted(parts.glob("*.npz"))
        first.write_bytes(first.read_bytes()[:-30])
        second.write_bytes(third.read_bytes())  # another batch's
        arrays = dict(np.load(fourth))
        np.savez(fourth, **arrays | {"node": arrays["node"] + 7})
        data, report = export.read(parts=parts)
        assert report.kept == 1 and data.values.ravel().tolist() == [6]

    @pytest.mark.slow
    def test_an_import_killed_by_the_system_goes_on(self, invented, tmp_path):
        """SIGKILL as soon as a part is there, again and again; the file is that of an unbroken import."""
        invented.write(tmp_path / "pm", days=2, cells=6)
        program = "from simmst.traffic.pm import parts; parts._BATCH = 1; from simmst.__main__ import main; main()"
        words = [
            "data",
            "pm",
            str(tmp_path / "pm"),
            "--timezone",
            "Europe/Rome",
            "--counter",
            "RRC.ConnMean=users:mean",
        ]
        command = [sys.executable, "-c", program, *words, "--out"]
        parts, kills = tmp_path / "t.npz.parts", 0
        while not (tmp_path / "t.npz").exists():
            before = len(list(parts.glob("*.npz")))
            running = subprocess.Popen([*command, str(tmp_path / "t.npz")], stdout=subprocess.DEVNULL)
            while running.poll() is None and len(list(parts.glob("*.npz"))) < before + 150:
                time.sleep(0.005)
            running.kill()
            kills += running.wait() != 0
        subprocess.run([*command, str(tmp_path / "whole.npz")], check=True, stdout=subprocess.DEVNULL)
        one, other = (TrafficData.load(tmp_path / name) for name in ("t.npz", "whole.npz"))
        assert kills > 1 and (one.values == other.values).all() and not parts.exists()


class TestCommand:
    @pytest.fixture
    def invoke(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        return lambda *words: CliRunner().invoke(data_app, ["pm", "pm", "--timezone", "Europe/Rome", *words])

    def test_it_writes_what_it_read_and_says_what_it_did(self, invented, export, invoke, tmp_path):
        infos = [invented.info(end, ["Vol", "a=b"], {"C=1": [k, 1]}) for k, end in enumerate(ends(2))]
        export(invented.document({"E=1": infos}))
        pl.DataFrame({"node": ["DC=example,E=1,C=1"], "lon": [9.1], "lat": [45.4]}).write_csv("cells.csv")
        words = ("--counter", "Vol=MB:sum", "--counter", "a=b=users:mean", "--out", "t.npz")
        result = invoke(*words, "--coordinates", "cells.csv")
        assert result.exit_code == 0, result.output
        assert "1 measurement files, 1 objects" in result.output and "1 of 1 files" in result.output
        data = TrafficData.load("t.npz")
        assert data.values[..., 0].ravel().tolist() == [6, 22] and data.units == "Vol=MB, a=b=users"
        assert data.unit_of("a=b") == "users" and data.coordinates.tolist() == [[9.1, 45.4]]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.csv", "pm", "t.npz"]
        assert "exists already" in str(invoke(*words).exception)

    @pytest.mark.parametrize("counter", ["Vol", "Vol=MB", "Vol=MB:max", "=MB:sum", "Vol=:sum"])
    def test_a_counter_written_otherwise_is_refused(self, invented, export, invoke, counter):
        export(*simple(invented, ends(1), range(4)))
        error = invoke("--counter", counter, "--out", "t.npz").exception
        assert isinstance(error, ConfigError) and "write it as DRB.PdcpSduVolumeDL=Mbit:sum" in str(error)

    def test_no_counter_lists_them(self, invented, export, invoke):
        export(*simple(invented, ends(1), range(4)))
        assert "A0000.xml has Vol" in str(invoke("--out", "t.npz").exception)
        twice = invoke("--counter", "Vol=MB:sum", "--counter", "Vol=GB:sum", "--out", "t.npz").exception
        assert "named twice" in str(twice)
