"""The download against a server on localhost that drops connections, knows no ranges, or sends damaged files."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from simmst.errors import ConfigError, DataError
from simmst.traffic.telecom.download import download, list_files

NAMES = ["sms-call-internet-mi-2013-11-01.txt", "sms-call-internet-mi-2013-11-02.txt"]
SIZE = 300_000


class Server(ThreadingHTTPServer):
    """A small Dataverse; its attributes say how it misbehaves."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        rng = np.random.default_rng(0)
        self.content = {i: rng.bytes(SIZE) for i in range(len(NAMES))}
        self.listing = [self.entry(i, name) for i, name in enumerate(NAMES)]
        self.drop_after = None  # bytes sent before the connection is cut
        self.knows_ranges = True
        self.status = 200
        self.sent = {}  # id -> what is sent in place of the content
        self.requests = []  # (id, Range header)

    def entry(self, number, name, **changes):
        content = self.content.get(number, b"")
        checksum = {"type": "MD5", "value": hashlib.md5(content).hexdigest()}
        file = {"id": number, "filename": name, "filesize": len(content), "checksum": checksum, "md5": "unused"}
        return {"label": name, "dataFile": {k: v for k, v in {**file, **changes}.items() if v is not None}}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Say nothing of connections that the test cuts."""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/api/datasets/:persistentId":
            known = parse_qs(parts.query)["persistentId"] == ["doi:10.7910/DVN/EGZHFV"]
            body = json.dumps({"status": "OK", "data": {"latestVersion": {"files": self.server.listing}}}).encode()
            self.answer(200 if known else 404, body)
            return
        number, wanted = int(parts.path.removeprefix("/api/access/datafile/")), self.headers["Range"]
        self.server.requests.append((number, wanted))
        body = self.server.sent.get(number, self.server.content[number])
        if self.server.status != 200:
            self.answer(self.server.status, b"")
        elif wanted and self.server.knows_ranges:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.answer(206, body[first:], **{"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"})
        else:
            self.answer(200, body)

    def answer(self, status, body, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.server.drop_after if status in (200, 206) and len(body) > 10_000 else None
        self.wfile.write(body[:cut])


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("simmst.traffic.telecom.download._PAUSE", 0.0)
    monkeypatch.setattr("simmst.traffic.telecom.download._CHUNK", 1 << 14)
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_files_come_whole_and_the_list_is_left_for_inspection(server, tmp_path):
    steps = []
    paths = download("milano", tmp_path, server.url, progress=lambda *step: steps.append(step))
    assert [path.name for path in paths] == NAMES
    assert [path.read_bytes() for path in paths] == list(server.content.values())
    assert steps[-1] == (NAMES[1], SIZE, SIZE)
    first = (tmp_path / "registry.txt").read_text().splitlines()[0]
    digest = hashlib.md5(server.content[0]).hexdigest()
    assert first == f"{NAMES[0]} md5:{digest} {server.url}/api/access/datafile/0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["registry.txt", *NAMES]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    download("milano", tmp_path, server.url)
    server.requests.clear()
    download("milano", tmp_path, server.url)
    assert server.requests == []
    (tmp_path / NAMES[0]).write_bytes(b"spoilt")
    download("milano", tmp_path, server.url)
    assert server.requests == [(0, None)] and (tmp_path / NAMES[0]).read_bytes() == server.content[0]


def test_dropped_connections_are_resumed_where_they_broke(server, tmp_path):
    server.drop_after = 100_000
    paths = download("milano", tmp_path, server.url)
    assert [path.read_bytes() for path in paths] == list(server.content.values())
    # All that came is kept.
    assert server.requests[:4] == [(0, None), (0, "bytes=100000-"), (0, "bytes=200000-"), (1, None)]


def test_a_line_that_drops_every_few_bytes_brings_the_file_all_the_same(server, tmp_path, monkeypatch):
    monkeypatch.setattr("simmst.traffic.telecom.download._CHUNK", 1 << 20)
    server.drop_after = 9_999
    server.content = {number: content[:60_000] for number, content in server.content.items()}
    server.listing = [server.entry(i, name) for i, name in enumerate(NAMES)]
    paths = download("milano", tmp_path, server.url)
    assert [path.read_bytes() for path in paths] == list(server.content.values())
    assert server.requests[1] == (0, "bytes=9999-")


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.drop_after = 0
    (tmp_path / f"{NAMES[0]}.part").write_bytes(server.content[0][:50_000])
    with pytest.raises(DataError, match=r"gave up after 5 attempts at byte 50000 of 300000.*goes on from there"):
        download("milano", tmp_path, server.url)
    assert not (tmp_path / NAMES[0]).exists()
    assert (tmp_path / f"{NAMES[0]}.part").stat().st_size == 50_000
    server.drop_after = None
    server.requests.clear()
    download("milano", tmp_path, server.url)
    assert server.requests == [(0, "bytes=50000-"), (1, None)]
    assert (tmp_path / NAMES[0]).read_bytes() == server.content[0]


def test_a_server_without_ranges_is_asked_again_from_the_start(server, tmp_path):
    server.knows_ranges = False
    (tmp_path / f"{NAMES[0]}.part").write_bytes(b"x" * 50_000)
    paths = download("milano", tmp_path, server.url)
    assert paths[0].read_bytes() == server.content[0]


@pytest.mark.parametrize("damage", [b"y" * SIZE, b"y" * (SIZE + 50_000)], ids=["other bytes", "too many bytes"])
def test_a_corrupted_file_never_gets_its_name(server, tmp_path, damage):
    server.sent[1] = damage
    with pytest.raises(DataError, match=f"{NAMES[1]}: what came from .* does not have the hash md5:"):
        download("milano", tmp_path, server.url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["registry.txt", NAMES[0]]
    server.sent.clear()
    assert download("milano", tmp_path, server.url)[1].read_bytes() == server.content[1]


def test_a_wrong_beginning_is_found_out_by_the_hash(server, tmp_path):
    (tmp_path / f"{NAMES[0]}.part").write_bytes(b"z" * 50_000)
    with pytest.raises(DataError, match="does not have the hash"):
        download("milano", tmp_path, server.url)
    assert len(download("milano", tmp_path, server.url)) == 2


def test_only_daily_files_are_taken(server, tmp_path):
    server.listing += [
        server.entry(0, name) for name in ("readme.pdf", "../../sms-call-internet-mi-2013-11-03.txt")
    ]
    assert [file.name for file in list_files("milano", server.url)] == NAMES


def test_a_list_without_a_checkable_hash_is_refused(server):
    server.listing[0] = server.entry(0, NAMES[0], checksum=None, md5="abc")
    with pytest.raises(DataError, match=f"{NAMES[0]} without a hash that can be checked"):
        list_files("milano", server.url)
    server.listing[0] = server.entry(0, NAMES[0], checksum={"type": "CRC32", "value": "0" * 32})
    with pytest.raises(DataError, match="crc32"):
        list_files("milano", server.url)
    sha = hashlib.sha256(b"").hexdigest()
    server.listing[0] = server.entry(0, NAMES[0], checksum={"type": "SHA-256", "value": sha.upper()})
    assert list_files("milano", server.url)[0].known_hash == f"sha256:{sha}"


def test_what_goes_wrong_is_said_in_one_line(server, tmp_path):
    with pytest.raises(ConfigError, match="city='roma': must be one of milano, trento"):
        list_files("roma", server.url)
    with pytest.raises(ConfigError, match="must begin with https://"):
        list_files("milano", "ftp://example")
    with pytest.raises(DataError, match="404"):
        list_files("trento", server.url)
    server.status = 403
    with pytest.raises(DataError, match="datafile/0: the server answers 403"):
        download("milano", tmp_path, server.url)
    server.listing = []
    with pytest.raises(DataError, match="holds no daily file of milano"):
        list_files("milano", server.url)
    server.listing = [{"label": "x"}]
    with pytest.raises(DataError, match=r"not a list of files \('dataFile'\)"):
        list_files("milano", server.url)
    for size in (float("inf"), "x", []):
        server.listing = [server.entry(0, NAMES[0], filesize=size)]
        with pytest.raises(DataError, match="not a list of files"):
            list_files("milano", server.url)
    server.listing = [server.entry(0, NAMES[0], filesize=-1)]
    with pytest.raises(DataError, match="with -1 bytes"):
        list_files("milano", server.url)
    server.listing = [server.entry(0, NAMES[0], filesize=10**18)]
    with pytest.raises(DataError, match="GB are still to come"):
        download("milano", tmp_path, server.url)


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="cannot be reached"):
        list_files("milano", "http://127.0.0.1:9")
