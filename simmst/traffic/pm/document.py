"""XML from anybody, read as a stream: no DTD, so no entities, and depth, size and tags have bounds."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat

_CHUNK = 1 << 16
# Measurement files are seven deep, and a tag or a text of a mebibyte is thousands of times as long as theirs.
_MOST_DEPTH = 32
_MOST_TAG = _MOST_TEXT = 1 << 20
# A packed file grows by 20 to 60 times; what grows by so much more is made to fill memory.
_MOST_SIZE, _MOST_GROWTH, _ALWAYS_FINE = 1 << 30, 500, 1 << 24
_GZIP = b"\x1f\x8b"
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # of UTF-8 and UTF-16


class DamagedError(Exception):
    """A file that cannot be taken; the text says why."""


class OtherFileError(Exception):
    """A file of another kind; the text says of which."""


class Document:
    """What reads one document: subclasses say what its tags mean.

    They get the beginnings and ends of tags, their names as "namespace name", and ask for a text by `listen`.
    """

    def __init__(self) -> None:
        # The parser knows no external entities unless it is told to ask for them: nothing is fetched.
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        self._parser, self._depth = parser, 0
        self._text: list[str] = []
        self._length = 0

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Take the beginning of a tag."""
        raise NotImplementedError

    def finish(self, name: str) -> None:
        """Take the end of a tag."""
        raise NotImplementedError

    def listen(self) -> None:
        """Keep the text that follows."""
        self._text.clear()
        self._length = 0
        self._parser.CharacterDataHandler = self._hear

    def heard(self) -> str:
        """Return the text since `listen`, without blanks around it, and keep no more."""
        self._parser.CharacterDataHandler = None
        return "".join(self._text).strip()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise DamagedError(f"tags are more than {_MOST_DEPTH} deep")
        self.begin(name, attributes)

    def _finish(self, name: str) -> None:
        self._depth -= 1
        self.finish(name)

    def _hear(self, text: str) -> None:
        self._length += len(text)
        if self._length > _MOST_TEXT:
            raise DamagedError(f"a text is longer than {_MOST_TEXT:,} characters")
        self._text.append(text)

    def read(self, path: Path) -> None:
        """Read a file, gzipped or not: its first bytes say which.

        Raises
        ------
        DamagedError
            If it is cut off, not well-formed, has a DTD, or goes beyond the bounds.
        OtherFileError
            If it is no XML.
        OSError
            If it cannot be opened.
        """
        with path.open("rb") as stream:
            packed = stream.read(2) == _GZIP
            stream.seek(0)
            size = path.stat().st_size
            if not packed:
                self._feed(stream.read, size, packed)
                return
            try:
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    self._feed(unpacked.read, size, packed)
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise DamagedError(f"is gzipped, and cut off or damaged ({error})") from None

    def _feed(self, read: Callable[[int], bytes], packed_size: int, packed: bool) -> None:
        limit = min(_MOST_SIZE, max(_ALWAYS_FINE, _MOST_GROWTH * packed_size)) if packed else _MOST_SIZE
        fed, chunk = 0, read(_CHUNK)
        _check_xml(chunk)
        try:
            while chunk:
                fed += len(chunk)
                if fed > limit:
                    raise DamagedError(f"{packed_size:,} bytes become more than {limit:,}")
                self._parser.Parse(chunk, False)
                if fed - self._parser.CurrentByteIndex > _MOST_TAG:
                    raise DamagedError(f"a tag or comment is longer than {_MOST_TAG:,} bytes")
                chunk = read(_CHUNK)
            self._parser.Parse(b"", True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: an encoding that is none
            raise DamagedError(f"is no well-formed XML: {error}") from None


def _check_xml(head: bytes) -> None:
    if not head:
        raise DamagedError("is empty")
    if not head.startswith(_MARKS) and not head.lstrip().startswith(b"<"):
        raise OtherFileError("is no XML")


def _refuse_doctype(*_: object) -> None:
    raise DamagedError("has a document type (DTD), which measurement files do not need and entities hide in")
