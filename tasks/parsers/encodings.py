"""Which encoding a file is in, decided from its bytes in one pass, and decoders for what was decided."""

from __future__ import annotations

import codecs

#: A UTF-8 file with some stray bytes: those few are read as Windows-1252, one by one.
DAMAGED_UTF8 = "utf-8+cp1252"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNASSIGNED = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")  # what Windows-1252 leaves open
_STRAY = "vatra-stray-bytes"
_WARNINGS = {
    "cp1252": "not UTF-8: read as Windows-1252",
    "latin-1": "not UTF-8: read as Latin-1",
    DAMAGED_UTF8: "some bytes are not UTF-8: those were read as Windows-1252",
}


def marked_encoding(start: bytes) -> str | None:
    """The encoding that a byte order mark, or the pattern of NULs in JSON's first character, gives away."""
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    if len(start) >= 2 and start[0] == 0 and start[1] != 0:
        return "utf-16-be"
    if len(start) >= 2 and start[0] != 0 and start[1] == 0:
        return "utf-16-le"
    return None


class EncodingGuess:
    """Fed with the chunks of a file in order, knows at the end what they are encoded in."""

    def __init__(self) -> None:
        self._marked: str | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self._started = False
        self._failed = False
        self._letters = 0  # characters outside ASCII that are good UTF-8
        self._strays = 0  # bytes that are not
        self._unassigned = False

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if not self._started:
            self._started, self._marked = True, marked_encoding(chunk)
            self._decoder = codecs.getincrementaldecoder("utf-8")()
        if self._marked and self._marked != "utf-8-sig":
            return
        if not self._failed:
            self._check(chunk)
        elif not chunk.isascii():
            self._count(chunk)

    def name(self) -> str:
        """The encoding: a mark's, else strict UTF-8 (its last character may be cut off), else a fallback."""
        if not self._failed:
            return self._marked or "utf-8"
        if self._letters > self._strays:
            return DAMAGED_UTF8
        return "latin-1" if self._unassigned else "cp1252"

    def _check(self, chunk: bytes) -> None:
        assert self._decoder is not None
        if chunk.isascii() and not self._decoder.getstate()[0]:
            return
        try:
            text = self._decoder.decode(chunk)
        except UnicodeDecodeError:
            self._failed = True
            self._count(chunk)
            return
        if not text.isascii():
            self._letters += 1

    def _count(self, chunk: bytes) -> None:
        text = chunk.decode("utf-8", "ignore")
        self._strays += len(chunk) - len(text.encode())
        self._letters += sum(not char.isascii() for char in text)
        self._unassigned = self._unassigned or any(byte in chunk for byte in _UNASSIGNED)


def decoder_for(encoding: str) -> codecs.IncrementalDecoder:
    """An incremental decoder that never fails on a file of this encoding; lone surrogates pass, to be repaired."""
    if encoding == DAMAGED_UTF8:
        codecs.register_error(_STRAY, _read_stray)
        return codecs.getincrementaldecoder("utf-8")(_STRAY)
    errors = "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "strict"
    return codecs.getincrementaldecoder(encoding)(errors)


def encoded_width(text: str, encoding: str) -> int:
    """How many bytes `text` took up in a file of this encoding."""
    if encoding in ("cp1252", "latin-1"):
        return len(text)
    family = encoding[:6] if encoding.startswith(("utf-16", "utf-32")) else ""
    return len(text.encode(f"{family}-le" if family else "utf-8", "surrogatepass"))


def encoding_warning(encoding: str) -> str | None:
    """What the account says about an encoding that had to be guessed."""
    return _WARNINGS.get(encoding)


def _read_stray(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    stray = error.object[error.start : error.end]
    return "".join(_WINDOWS.get(byte, chr(byte)) for byte in stray), error.end


_WINDOWS = {byte: bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xA0)}
