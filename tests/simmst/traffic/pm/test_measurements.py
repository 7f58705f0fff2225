"""What contradicts the format is refused with the object that it is at."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simmst.errors import ConfigError
from simmst.traffic.pm.document import DamagedError, OtherFileError
from simmst.traffic.pm.measurements import Measurements, Rules

SPLINTERS = [
    b"<r>",
    b"</r>",
    b'<r p="1">',
    b"<measValue>",
    b"</measInfo>",
    b"PT1H",
    b"9" * 400,
    b"1e999",
    b"<!DOCTYPE x>",
]
END = "2024-03-11T12:15:00+01:00"


def rows(path, text, **rules):
    path.write_text(text)
    document = Measurements({"Vol": 0, "Prb": 1}, Rules(ZoneInfo("Europe/Rome"), **rules))
    document.read(path)
    return document.rows


@pytest.fixture
def file(tmp_path, invented):
    """Rows of a file with one measInfo, of two counters in a cell, after a change of its text."""

    def read(old="", new="", text=False, values=(1, 2), **rules):
        whole = invented.document({"E=1": [invented.info(END, ["Vol", "Prb"], {"C=1": list(values)}, text=text)]})
        assert old in whole
        return rows(tmp_path / "x.xml", whole.replace(old, new) if old else whole, **rules)

    return read


def test_it_is_read_with_or_without_namespace_and_with_a_prefix(file, tmp_path, invented):
    assert list(file().value) == [1, 2]
    space = f' xmlns="{invented.SPACES["32.435"]}"'
    assert list(file(space, "").value) == [1, 2], "some writers leave theirs out"
    prefixed = (
        f'<m:measDataFile xmlns:m="{invented.SPACES["28.532"]}"><m:measData><m:measInfo>'
        f'<m:granPeriod duration="PT15M" endTime="{END}"/>'
        f'<m:measType p="7">Vol</m:measType><m:measValue measObjLdn="C"><m:r p="7">3</m:r>'
        f"</m:measValue></m:measInfo></m:measData></m:measDataFile>"
    )
    assert list(rows(tmp_path / "y.xml", prefixed).value) == [3]
    with pytest.raises(OtherFileError, match=r"its root is measCollecFile of urn:other"):
        file(space, ' xmlns="urn:other"')


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(old='p="2">2<', new='p="3">2<'), "p='3', which names no counter"),
        (dict(old='p="2">2<', new='p="1">2<'), "has two results of one counter"),
        (dict(old='<measType p="2">', new='<measType p="1">'), "names two counters of one measInfo, Vol and Prb"),
        (dict(old=">Prb<", new=">Vol<"), "Vol is twice in one measInfo"),
        (dict(old=">2<", new=">two<"), "the result 'two' of 'C=1' is no number"),
        (dict(old=">2<", new=">1_000<"), "is no number"),
        (dict(old=">2<", new=">1,0,3<"), "a counter of several values is no service"),
        (dict(old="granPeriod ", new="grainPeriod "), "without a granPeriod"),
        (dict(old='duration="PT900S" ', new=""), "duration=''"),
        (dict(old="+01:00", new=""), "no offset from UTC.*--utc"),
        (dict(old="</measValue>", new="<suspect>maybe</suspect></measValue>"), "neither true nor false"),
        (dict(text=True, old="1 2<", new="1<"), "'C=1' has 1 results of 2 counters"),
        (dict(text=True, old="1 2<", new="1 2 3<"), "has 3 results of 2 counters"),
        (dict(text=True, old="<measResults>1 2</measResults>", new='<r p="1">2</r>'), "names no counter"),
    ],
)  # fmt: skip
def test_what_contradicts_the_format_is_refused(file, change, said):
    with pytest.raises(DamagedError, match=said):
        file(**change)


@pytest.mark.parametrize("text", [False, True])
def test_results_that_are_no_traffic_are_unknown_and_counted(file, text):
    for word, counted in (("-1", "negative"), ("NaN", "non_finite"), ("INF", "non_finite"), ("nil", "nil")):
        found = file(values=(1, word), text=text)
        assert found.counts[counted] == 1 and found.value[0] == 1 and found.value[1] != found.value[1]
    assert list(file(values=(1, "NULL"), nil="zero").value) == [1, 0]


def test_a_suspect_result_is_not_asked_for_more(file):
    for word in ("true", "1"):
        found = file(
            old="</measValue>", new=f"<suspect>{word}</suspect></measValue>", values=(1, None), nil="zero"
        )
        assert found.counts["suspect"] == 2 and not any(value >= 0 for value in found.value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_that_were_changed_are_rows_or_a_refusal_and_nothing_else(tmp_path_factory, invented, data):
    kind, text = data.draw(st.sampled_from(["32.435", "28.532"])), data.draw(st.booleans())
    whole = invented.document(
        {"E=1": [invented.info(END, ["Vol", "Prb"], {"C=1": [1, 2]}, kind, text=text)]}, kind
    )
    changed = bytearray(whole.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed) - 1))
        stop = start + data.draw(st.integers(0, 30))
        changed[start:stop] = data.draw(st.one_of(st.binary(max_size=4), st.sampled_from(SPLINTERS)))
    path = tmp_path_factory.mktemp("x") / "x.xml"
    path.write_bytes(changed)
    document = Measurements({"Vol": 0, "Prb": 1}, Rules(ZoneInfo("Europe/Rome")))
    try:
        document.read(path)
    except (DamagedError, OtherFileError):
        return
    found = document.rows
    assert len(found.begin) == len(found.minutes) == len(found.node) == len(found.service) == len(found.value)
    assert all(value >= 0 or value != value for value in found.value) and set(found.service) <= {0, 1}


def test_rules_know_their_words():
    with pytest.raises(ConfigError, match="nil='none': must be unknown or zero"):
        Rules(ZoneInfo("Europe/Rome"), nil="none")
