"""A hostile document is refused in words, in little memory and time; a whole one is read at any chunk."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simmst.traffic.pm import document
from simmst.traffic.pm.document import DamagedError, Document, OtherFileError


class Echo(Document):
    """Keep all tags, and the texts of `t`."""

    def __init__(self):
        super().__init__()
        self.found = []

    def begin(self, name, attributes):
        self.found.append((name, attributes))
        if name == "t":
            self.listen()

    def finish(self, name):
        if name == "t":
            self.found.append(self.heard())


def read(path, data):
    path.write_bytes(data)
    echo = Echo()
    echo.read(path)
    return echo.found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_texts_and_attributes_come_as_they_are_written(tmp_path, encoding):
    text = f'<?xml version="1.0" encoding="{encoding}"?><a xmlns="u"><b x="é&amp;"/></a>'
    assert read(tmp_path / "x", text.encode(encoding)) == [("u a", {}), ("u b", {"x": "é&"})]
    assert read(tmp_path / "x", gzip.compress(text.encode(encoding))) == [("u a", {}), ("u b", {"x": "é&"})]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunk=st.integers(1, 40), text=st.text("ab<&é\n ", max_size=60))
def test_chunks_cut_nothing(tmp_path_factory, chunk, text):
    path = tmp_path_factory.mktemp("x") / "x"
    quoted = text.replace("&", "&amp;").replace("<", "&lt;")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "_CHUNK", chunk)
        assert read(path, f"<a><t>{quoted}</t></a>".encode())[2] == text.strip()


LONG = "x" * (document._MOST_TAG + 200_000)
BOMB = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'<!DOCTYPE x [<!ENTITY a "ha">{BOMB}]><x>&i;</x>', "has a document type"),
        ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', "has a document type"),
        ('<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>', "has a document type"),
        ("<x>&a;</x>", "undefined entity"),
        ("<x>" * 5000, "more than 32 deep"),
        (f'<x a="{LONG}"/>', "a tag or comment is longer"),
        (f"<x><!--{LONG}--></x>", "a tag or comment is longer"),
        (f"<x><t>{LONG}</t></x>", "a text is longer"),
        (f"<x><t><![CDATA[{LONG}]]></t></x>", "a text is longer"),
        ("<x></y>", "mismatched tag"),
        ("<x>", "no element found"),
        ("<x/><x/>", "junk after document element"),
        ("<x>\x00</x>", "not well-formed"),
        ("", "is empty"),
        ('<?xml version="1.0" encoding="U-TF-8"?><x/>', "no well-formed XML"),
        ('<?xml version="1.0" encoding="utf-7"?><x/>', "no well-formed XML"),
    ],
)
def test_what_is_hostile_or_broken_is_refused(tmp_path, text, said):
    for data in (text.encode(), gzip.compress(text.encode())):
        with pytest.raises(DamagedError, match=said):
            read(tmp_path / "x", data)


def test_what_grows_without_measure_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(document, "_ALWAYS_FINE", 1 << 18)
    with pytest.raises(DamagedError, match=r"bytes become more than"):
        read(tmp_path / "x", gzip.compress(b"<x>" + b" " * (1 << 22) + b"</x>"))
    monkeypatch.setattr(document, "_MOST_SIZE", 1 << 10)
    with pytest.raises(DamagedError, match="become more than 1,024"):
        read(tmp_path / "x", b"<x>" + b" " * (1 << 17) + b"</x>")


def test_packed_files_that_are_cut_off_or_damaged_are_refused(tmp_path):
    packed = gzip.compress(b"<x>" + bytes(range(32, 60)) * 50 + b"</x>")
    flipped = bytearray(packed)
    flipped[-6] ^= 1  # in the check sum
    for data in (packed[:-12], packed[:30], bytes(flipped), packed + b"rest"):
        with pytest.raises(DamagedError, match="gzipped, and cut off or damaged"):
            read(tmp_path / "x", data)


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"time;cell", b"\x00\x00", b"   x"])
def test_what_is_no_xml_is_another_file(tmp_path, data):
    with pytest.raises(OtherFileError, match="is no XML"):
        read(tmp_path / "x", data)
